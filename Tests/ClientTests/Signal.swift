/// Something that happens once, on the loop that owns it, and that tasks of the loop wait for.
final class Signal {
    private var hasHappened = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func happen() {
        hasHappened = true
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    func wait() async {
        guard !hasHappened else { return }
        await withCheckedContinuation { waiting.append($0) }
    }
}
