/// A scenario of two cameras that report and one that does not, as text to be altered.
enum SmallScenario {
    static let text = """
        {"format": "leitstand-scenario/1", "source": "made up",
        "site": {"id": "mannheim", "name": "Mannheim", "time_zone": "Europe/Berlin"},
        "node": {"name": "Analyse 1", "model": "pose-1"},
        "frames_per_second": 30, "confidence": 0.9,
        "areas": [{"key": "square", "name": "Square"}],
        "cameras": [
        {"key": "square-1", "area": "square", "name": "Square 1", "recording": "a.mp4",
         "starts_at": -1.5,
         "incidents": [{"class": "Fighting", "frames": [61, 91], "pattern": "fighting"},
                       {"class": "Arson", "frames": [100, 900], "category": "criminal_offence"}]},
        {"key": "square-2", "area": "square", "name": "Square 2", "recording": "b.mp4"},
        {"key": "square-3", "area": "square", "name": "Square 3", "recording": "c.mp4",
         "starts_at": 0.25,
         "incidents": [{"class": "Robbery", "frames": [31, 45], "pattern": "robbery"}]}
        ]}
        """

    static func bytes(replacing part: String = "", with other: String = "") -> [UInt8] {
        guard !part.isEmpty, let range = text.firstRange(of: part) else { return Array(text.utf8) }
        return Array(text.replacingSubrange(range, with: other).utf8)
    }
}

extension String {
    fileprivate func replacingSubrange(_ range: Range<Index>, with other: String) -> String {
        var copy = self
        copy.replaceSubrange(range, with: other)
        return copy
    }
}
