"""The main road: a detection becomes an alarm that an observer handles and that history keeps.

Which role may do what, operation by operation, and every list's filters are in Tests/Contract.
"""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from detections import detection, instant, post
from live_stream import Reader
from server_under_test import Server, Site, create, create_site


def history(client: httpx.Client, alarm: str) -> list[dict[str, Any]]:
    """What has become of the alarm, oldest first."""
    response = client.get(f"/v1/alarms/{alarm}/history", params={"limit": 500})
    assert response.status_code == 200, response.text
    return response.json()["items"]


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_detection_becomes_an_alarm_live_and_history_tells_who_did_what(
    server: Server, administrator: httpx.Client
) -> None:
    site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
    observer = {"name": "Platz 3", "role": "observer", "site": site.id}
    made = create(administrator, "/v1/tokens", observer)
    with server.client(made["token"]) as observer, Reader(server, made["token"]) as reader:
        reader.begin()

        seen = detection(site, confidence=0.91)
        posted = post(site, seen)
        raised = reader.until(lambda event: event.name == "alarm.raised")[-1]
        assert raised.data["id"] == posted["alarm"]
        assert raised.data["condition"] == "active" and raised.data["handling"] == "new"
        assert observer.get(f"/v1/alarms/{posted['alarm']}").json() == raised.data

        path = f"/v1/alarms/{posted['alarm']}"
        request_id = uuid.uuid4().hex
        acknowledged = observer.post(f"{path}/acknowledge", headers={"X-Request-ID": request_id})
        assert acknowledged.status_code == 200, acknowledged.text
        assert acknowledged.headers["x-request-id"] == request_id
        live = reader.until(lambda event: event.name == "alarm.acknowledged")[-1]
        assert live.data == acknowledged.json()
        dismissed = observer.post(f"{path}/dismiss", json={"reason": "embrace", "note": "Friends."})
        assert dismissed.status_code == 200
        confirmed = observer.post(f"{path}/confirm", json={"note": "No, a brawl."})
        assert confirmed.status_code == 200
        reader.until(lambda event: event.name == "alarm.confirmed")

        told = history(observer, posted["alarm"])
    site.close()

    assert [entry["event"] for entry in told] == [
        "alarm.raised",
        "alarm.acknowledged",
        "alarm.dismissed",
        "alarm.confirmed",
    ]
    born, taken, rejected, upheld = told
    assert born["actor"] is None
    for entry in (taken, rejected, upheld):
        assert entry["actor"] == {"token": made["id"], "name": "Platz 3", "role": "observer"}
    assert taken["request_id"] == request_id
    assert (rejected["reason"], rejected["note"]) == ("embrace", "Friends.")
    assert (upheld["reason"], upheld["note"]) == (None, "No, a brawl.")
    # Two clocks: the node's, and ours, which comes after.
    assert when(born["occurred_at"]) == when(seen["occurred_at"])
    recorded = [when(entry["recorded_at"]) for entry in told]
    assert recorded == sorted(recorded) and len(set(recorded)) == len(recorded)
    assert recorded[0] > when(born["occurred_at"])
    assert upheld["alarm"] == confirmed.json()


def test_a_list_is_walked_once_through_while_writers_write(site: Site) -> None:
    observer = site.client("observer")
    sent = [
        detection(site, confidence=0.2, occurred_at=instant(minutes=2, seconds=n))
        for n in range(60)
    ]
    # Of one instant: the id alone tells them apart.
    sent += [detection(site, confidence=0.2, occurred_at=sent[0]["occurred_at"]) for _ in range(30)]
    post(site, sent, 200)

    walked: list[str] = []
    target: str | None = "/v1/detections?limit=7"
    while target is not None:
        post(site, [detection(site, confidence=0.2) for _ in range(5)], 200)
        page = observer.get(target)
        walked += [item["id"] for item in page.json()["items"]]
        target = page.links["next"]["url"] if "next" in page.links else None

    assert len(walked) == len(set(walked))
    assert {item["id"] for item in sent} <= set(walked)
    by_time = sorted(sent, key=lambda item: (item["occurred_at"], item["id"]), reverse=True)
    assert [id for id in walked if id in {item["id"] for item in sent}] == [
        item["id"] for item in by_time
    ]


def test_a_revoked_token_is_refused_at_once(
    server: Server, site: Site, administrator: httpx.Client
) -> None:
    new = {"name": "Platz 3", "role": "observer", "site": site.id}
    made = create(administrator, "/v1/tokens", new)
    # Connections of both loops know the token by then.
    clients = [server.client(made["token"]) for _ in range(8)]
    assert {client.get("/v1/alarms").status_code for client in clients} == {200}

    assert administrator.post(f"/v1/tokens/{made['id']}/revoke").status_code == 200

    answers = [client.get("/v1/alarms") for client in clients]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["code"] for answer in answers} == {"token.invalid"}
    assert 'error="invalid_token"' in answers[0].headers["www-authenticate"]
    for client in clients:
        client.close()


def test_a_token_is_refused_from_its_expiry_on(
    server: Server, site: Site, administrator: httpx.Client
) -> None:
    expiry = when(instant()) + timedelta(seconds=2)
    new = {"name": "Gast", "role": "observer", "site": site.id, "expires_at": expiry.isoformat()}
    made = create(administrator, "/v1/tokens", new)

    with server.client(made["token"]) as guest:
        statuses = []
        while when(instant()) < expiry + timedelta(milliseconds=100):
            asked_at = when(instant())
            statuses.append((asked_at, guest.get("/v1/sites").status_code, when(instant())))

    # An answer that overlaps the expiry may be either.
    assert {status for _, status, answered in statuses if answered < expiry} == {200}
    assert {status for asked, status, _ in statuses if asked > expiry} == {401}


def test_a_revocation_reaches_the_other_instance(
    pair: tuple[Server, Server], pair_site: Site, pair_administrator: httpx.Client
) -> None:
    new = {"name": "Platz 3", "role": "observer", "site": pair_site.id}
    made = create(pair_administrator, "/v1/tokens", new)
    with pair[1].client(made["token"]) as observer:
        assert observer.get("/v1/alarms").status_code == 200

        pair_administrator.post(f"/v1/tokens/{made['id']}/revoke")

        # By the journal: notified, or looked for once a second.
        deadline = time.monotonic() + 3
        while observer.get("/v1/alarms").status_code != 401:
            assert time.monotonic() < deadline, "the other instance still takes the token"


def test_a_detection_with_another_ones_id_but_its_own_time_is_another(site: Site) -> None:
    first = detection(site, confidence=0.2)
    assert post(site, first)["outcome"] == "created"

    again = post(site, first | {"occurred_at": instant()})

    assert again["outcome"] == "created"


def test_the_same_instant_in_another_offset_is_a_duplicate(site: Site) -> None:
    first = detection(site, occurred_at="2026-01-01T12:00:00.5Z")
    assert post(site, first, 200)["outcome"] == "counted_only"

    again = post(site, first | {"occurred_at": "2026-01-01T13:00:00.500000+01:00"}, 200)

    assert again["outcome"] == "duplicate"


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"camera": "no-such-camera"}, "detection.unknown-camera", "camera"),
        ({"pattern": "lying"}, "detection.pattern-not-permitted", "pattern"),
        ({"occurred_at": instant(hours=-10)}, "detection.in-future", "occurred_at"),
        ({"confidence": 1.5}, "body.invalid", "confidence"),
        ({"colour": "red"}, "body.invalid", "colour"),
        ({"occurred_at": "2026-11-24T12:00:00"}, "body.invalid", "occurred_at"),
    ],
)
def test_a_bad_item_harms_none_of_its_neighbours_wherever_it_stands(
    members: dict[str, Any], code: str, pointer: str, site: Site
) -> None:
    for position in range(4):
        items = [detection(site) for _ in range(3)]
        items.insert(position, detection(site) | members)

        outcomes = post(site, items, 200)["items"]

        for place, outcome in enumerate(outcomes):
            assert outcome["outcome"] == ("refused" if place == position else "created")
        problem = outcomes[position]["problem"]
        assert problem["code"] == code
        assert problem["errors"][0]["pointer"] == f"/{position}/{pointer}"


def test_what_the_database_refuses_stands_alone(database: str, pair_site: Site) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("ALTER TABLE detections ADD CONSTRAINT poison CHECK (confidence <> 0.666)")
        try:
            for position in range(8):
                items = [detection(pair_site) for _ in range(7)]
                items.insert(position, detection(pair_site, confidence=0.666))

                outcomes = post(pair_site, items, 200)["items"]

                for place, outcome in enumerate(outcomes):
                    assert outcome["outcome"] == ("refused" if place == position else "created")
                assert outcomes[position]["problem"]["code"] == "detection.not-storable"
        finally:
            owner.execute("ALTER TABLE detections DROP CONSTRAINT poison")
    listed = pair_site.client("observer").get("/v1/detections", params={"limit": 500}).json()
    assert len(listed["items"]) == 8 * 7


def test_late_never_rings(server: Server, site: Site) -> None:
    with Reader(server, site.token("observer"), types="alarm") as reader:
        reader.begin()

        late = post(site, detection(site, occurred_at=instant(minutes=20)))
        joined = post(site, detection(site, occurred_at=instant(minutes=20, seconds=-5)))
        rings = post(site, detection(site))

        heard = reader.until(lambda event: event.name == "alarm.raised")
    assert [(event.name, event.data["id"]) for event in heard if event.name != "alarm.extended"] == [
        ("alarm.late", late["alarm"]),
        ("alarm.raised", rings["alarm"]),
    ]
    assert joined["alarm"] == late["alarm"] != rings["alarm"]
    alarm = site.client("observer").get(f"/v1/alarms/{late['alarm']}").json()
    assert (alarm["late"], alarm["condition"], alarm["detection_count"]) == (True, "cleared", 2)


def test_a_detection_after_the_quiet_time_clears_the_alarm_and_raises_another(
    server: Server, site: Site
) -> None:
    earlier = detection(site, occurred_at=instant(seconds=50))
    first = post(site, earlier)
    with Reader(server, site.token("observer")) as reader:
        reader.begin()

        second = post(site, detection(site))

        cleared, raised = reader.until(lambda event: event.name == "alarm.raised")
    assert (cleared.name, cleared.data["id"]) == ("alarm.cleared", first["alarm"])
    assert raised.data["id"] == second["alarm"] != first["alarm"]
    quiet = when(cleared.data["cleared_at"]) - when(earlier["occurred_at"])
    assert quiet == timedelta(seconds=30)


def test_an_alarm_is_cleared_when_no_detection_comes(
    pair: tuple[Server, Server], database: str, pair_site: Site
) -> None:
    posted = post(pair_site, detection(pair_site))
    with Reader(pair[1], pair_site.token("observer")) as reader:
        reader.begin()

        # Quiet time and arrival allowance are over sooner than in a minute and a half.
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(
                "UPDATE alarms SET clears_after = clock_timestamp() WHERE id = %s",
                [posted["alarm"]],
            )

        cleared = reader.until(lambda event: event.name == "alarm.cleared")[-1]
    assert cleared.data["id"] == posted["alarm"]
    assert (cleared.data["condition"], cleared.data["handling"]) == ("cleared", "new")
    last = when(cleared.data["last_detection_at"])
    assert when(cleared.data["cleared_at"]) - last == timedelta(seconds=30)


def test_an_extension_is_told_once_a_second_and_the_last_tells_the_exact_count(
    server: Server, site: Site
) -> None:
    with Reader(server, site.token("observer")) as reader:
        reader.begin()
        alarm = post(site, detection(site))["alarm"]
        count = 1
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            assert post(site, detection(site))["alarm"] == alarm
            count += 1

        reader.until(
            lambda event: event.name == "alarm.extended" and event.data["detection_count"] == count
        )
    told = history(site.client("observer"), alarm)
    assert [entry["event"] for entry in told] == ["alarm.raised"] + ["alarm.extended"] * (
        len(told) - 1
    )
    # Journaled in the second after the one before; recorded as it is committed.
    recorded = [when(entry["recorded_at"]) for entry in told]
    gaps = [later - earlier for earlier, later in zip(recorded, recorded[1:])]
    assert min(gaps) > timedelta(seconds=0.9)
    assert len(gaps) >= 2


def test_an_alarm_that_was_closed_is_extended_silently(server: Server, site: Site) -> None:
    observer = site.client("observer")
    alarm = post(site, detection(site))["alarm"]
    assert observer.post(f"/v1/alarms/{alarm}/close").status_code == 200

    again = post(site, detection(site))

    assert again["alarm"] == alarm
    given = observer.get(f"/v1/alarms/{alarm}").json()
    assert (given["handling"], given["detection_count"]) == ("closed", 2)
    assert len(observer.get("/v1/alarms").json()["items"]) == 1
