"""Ticking on pages: what Asha sees and does, with her phone or her PC, and what nobody loses."""

import io
import re
from datetime import date

import pytest
from PIL import Image
from sqlalchemy import event, func, select

from tests.city import NOW, TODAY
from tests.web.conftest import post, token_of
from tracker.db import writing
from tracker.domain.actor import AppointmentKind
from tracker.domain.duty import State
from tracker.models import Appointment, Duty, Evidence, EvidenceFact, EvidenceFile, Seat, SignOff
from tracker.web.uploads import UploadForm

MEETING = "2026.D1-B1.P4-1.L3-02.M05.1"
THEME = "2026.D1-B1.P4-1.L3-05.M05.1"
SAID = {"act_on": "2026-05-18", "sentence": "召开五月支委会", "count-expected": "12", "count-present": "11"}


def photo(colour="red"):
    data = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(data, "JPEG")
    return data.getvalue()


def upload(data=None, name="现场.jpg"):
    return (io.BytesIO(data or photo()), name)


@pytest.fixture
def clerk(client_of, city, session):
    """Omar, who prepares for Asha's seat as well."""
    city.appoint("Omar", "D1-B1.P4-1", kind=AppointmentKind.CLERK)
    session.commit()
    return client_of("Omar")


def duty_of(session, key):
    session.rollback()
    return session.scalars(select(Duty).where(Duty.key == key)).one()


def text(response):
    return response.get_data(as_text=True)


def tick(client, key=MEETING, **changes):
    data = {**SAID, "files": [upload()], **changes}
    return post(client, f"/duties/{key}/tick", data, content_type="multipart/form-data")


def test_asha_sees_what_is_due_in_the_order_in_which_it_presses(client_of):
    page = text(client_of("Asha").get("/"))
    heads = [page.index(word) for word in ("已经逾期的", "本月到期的", "以后到期的")]
    assert heads == sorted(heads)


def test_every_line_says_what_is_asked_and_until_when(client_of, session):
    duty = duty_of(session, MEETING)
    page = text(client_of("Asha").get("/"))
    assert f"截止 {duty.due_on}" in page or duty.key not in page


def test_somebody_without_a_seat_is_led_to_their_own_page(client_of):
    assert client_of("Ines").get("/").status_code == 302


def test_asha_ticks_a_duty_with_a_photo(client_of, session):
    answer = tick(client_of("Asha"))
    assert (answer.status_code, answer.location) == (302, "/")
    duty = duty_of(session, MEETING)
    assert (duty.state, duty.act_on) == (State.SUBMITTED, date(2026, 5, 18))
    assert session.scalar(select(func.count()).select_from(EvidenceFile)) == 1


def test_one_record_ticks_a_second_duty_in_the_same_step(client_of, session):
    client = client_of("Asha")
    assert THEME in text(client.get(f"/duties/{MEETING}/tick"))
    tick(client, also=[THEME])
    assert duty_of(session, THEME).state is State.SUBMITTED
    assert session.scalar(select(func.count()).select_from(Evidence)) == 1


def test_an_earlier_record_is_used_instead(client_of, session):
    client = client_of("Asha")
    tick(client)
    key = session.scalar(select(Evidence.key))
    assert key in text(client.get(f"/duties/{THEME}/tick"))
    assert post(client, f"/duties/{THEME}/use", {"evidence": key}).status_code == 302
    assert duty_of(session, THEME).state is State.SUBMITTED


def test_the_button_and_the_message_say_that_an_earlier_record_is_handed_in(client_of, session):
    client = client_of("Asha")
    tick(client)
    key = session.scalar(select(Evidence.key))
    page = text(client.get(f"/duties/{THEME}/tick"))
    assert "用这份并提交" in page
    assert 'aria-label="用佐证' not in page
    post(client, f"/duties/{THEME}/use", {"evidence": key})
    told = text(client.get(f"/duties/{THEME}"))
    assert f"已引用佐证 {key} 并提交。下一步由" in told
    assert re.search("下一步由[^。]*Chen[^。]*确认。", told)


def test_whoever_only_prepares_is_told_that_nothing_was_handed_in(client_of, clerk, session):
    tick(client_of("Asha"))
    key = session.scalar(select(Evidence.key))
    page = text(clerk.get(f"/duties/{THEME}/tick"))
    assert "引用这份" in page
    assert "用这份并提交" not in page
    post(clerk, f"/duties/{THEME}/use", {"evidence": key})
    assert f"已引用佐证 {key}，还没有提交" in text(clerk.get(f"/duties/{THEME}"))
    assert duty_of(session, THEME).state is State.OPEN


def test_a_record_used_for_what_is_signed_is_not_handed_in(client_of, session):
    client = client_of("Asha")
    tick(client)
    tick(client, THEME)
    [first, _second] = session.scalars(select(Evidence.key).order_by(Evidence.id))
    assert "引用这份" in text(client.get(f"/duties/{THEME}/tick"))
    post(client, f"/duties/{THEME}/use", {"evidence": first})
    assert f"已引用佐证 {first}；这项任务已经签认过，需要重新提交。" in text(client.get(f"/duties/{THEME}"))


def test_what_a_clerk_prepared_is_seen_by_whoever_signs(client_of, clerk, session):
    asha, link = client_of("Asha"), rf'href="/duties/{MEETING}">已有佐证，待提交'
    assert not re.search(link, text(asha.get("/")))
    tick(clerk)
    key = session.scalar(select(Evidence.key))
    home = text(asha.get("/"))
    assert re.search(link, home)
    assert re.search(rf'href="/duties/{MEETING}" aria-label="核对并提交：', home)
    assert f'href="/duties/{MEETING}/tick"' not in home
    listed = text(clerk.get("/"))
    assert re.search(link, listed)
    assert f'href="/duties/{MEETING}/tick"' in listed
    form = text(asha.get(f"/duties/{MEETING}/tick"))
    notice = form[form.index("这项任务已经有下列佐证") : form.index('enctype="multipart/form-data"')]
    assert all(said in notice for said in (f'href="/evidence/{key}"', "Omar", f'href="/duties/{MEETING}"'))
    assert f'action="/duties/{MEETING}/submit"' in text(asha.get(f"/duties/{MEETING}"))
    assert "不再补充，核对并提交" in notice
    assert "不再补充，核对并提交" not in text(clerk.get(f"/duties/{MEETING}/tick"))
    assert post(asha, f"/duties/{MEETING}/submit").status_code == 302
    assert not re.search(link, text(asha.get("/")))


def test_what_was_taken_back_or_returned_says_that_its_record_is_still_there(client_of, session):
    asha, link = client_of("Asha"), rf'href="/duties/{MEETING}">已有佐证，待提交'
    tick(asha)
    post(asha, f"/duties/{MEETING}/withdraw")
    assert re.search(link, text(asha.get("/")))
    post(asha, f"/duties/{MEETING}/submit")
    post(client_of("Chen"), f"/duties/{MEETING}/return", {"reason": "缺签到"})
    assert re.search(link, text(asha.get("/")))
    post(asha, f"/evidence/{session.scalar(select(Evidence.key))}/withdraw", {"reason": "传错"})
    assert not re.search(link, text(asha.get("/")))
    assert "这项任务已经有下列佐证" not in text(asha.get(f"/duties/{MEETING}/tick"))


def test_the_form_names_the_days_that_the_page_of_the_duty_names(client_of, session):
    asha = client_of("Asha")
    apart = Duty.ends_on != Duty.period_ends_on, Duty.seat_id == duty_of(session, MEETING).seat_id
    duty = session.scalars(select(Duty).where(*apart).order_by(Duty.key)).first()
    assert f"<dd>{duty.starts_on} — {duty.ends_on}</dd>" in text(asha.get(f"/duties/{duty.key}"))
    assert f"办理时段 {duty.starts_on} 至 {duty.ends_on}" in text(asha.get(f"/duties/{duty.key}/tick"))


def test_the_form_of_a_duty_that_was_handed_in_late_calls_it_overdue_no_longer(client_of, session):
    key, asha = "2026.D1-B1.P4-1.L3-02.M04.1", client_of("Asha")
    head = re.compile("<h1>.*?<form", re.DOTALL)
    assert "已逾期" in head.search(text(asha.get(f"/duties/{key}/tick")))[0]
    tick(asha, key)
    assert "已逾期" not in head.search(text(asha.get(f"/duties/{key}/tick")))[0]


def test_a_record_that_lacks_something_is_not_used_and_the_page_says_what(client_of, session):
    client = client_of("Asha")
    tick(client)
    key = session.scalar(select(Evidence.key))
    roster = "2026.D1-B1.P4-1.L3-10.M05.1"
    answer = post(client, f"/duties/{roster}/use", {"evidence": key})
    assert answer.status_code == 400
    assert "应完成人数" in text(answer)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sentence": ""}, "请用一句话写明做了什么"),
        ({"sentence": "字" * 301}, "不超过 300 字"),
        ({"act_on": "2026-05-25"}, "还没有到"),
        ({"act_on": ""}, "请填写实际办理的日期"),
        ({"count-present": ""}, "实到人数"),
        ({"count-present": "-1"}, "不小于 0"),
        ({"also": ["2026.D2-B1.P4-1.L3-02.M05.1"]}, "重新勾选"),
    ],
    ids=str,
)
def test_a_refusal_fills_the_form_again_and_keeps_the_file(client_of, session, wrong, said):
    client = client_of("Asha")
    answer = tick(client, **wrong)
    page = text(answer)
    assert answer.status_code in (400, 409)
    assert said in page
    assert "已收到：现场.jpg" in page
    if "sentence" not in wrong:
        assert "召开五月支委会" in page
    token = re.search(r'name="kept"[^>]*value="([^"]+)"', page)[1]
    again = post(client, f"/duties/{MEETING}/tick", {**SAID, "kept": [token]})
    assert again.status_code == 302
    assert session.scalar(select(func.count()).select_from(EvidenceFile)) == 1


def test_everything_that_is_wrong_is_said_at_once(client_of):
    wrong = {"sentence": "字" * 301, "act_on": "2026-05-25", "count-present": "", "count-expected": ""}
    page = text(tick(client_of("Asha"), files=[upload(b"MZ\x90", "程序.exe")], **wrong))
    for said in ("现在是 301 字", "2026-05-25 还没有到", "还要填：应到人数、实到人数", "程序.exe"):
        assert said in page
    assert "需要附文件" not in page


def test_more_people_present_than_expected_is_said_with_the_missing_file(client_of):
    page = text(tick(client_of("Asha"), files=[], **{"count-present": "13"}))
    assert "大于" in page
    assert "需要附文件" in page


def test_asha_is_told_what_was_done_and_who_confirms_next(client_of, session):
    asha = client_of("Asha")
    tick(asha, also=[THEME])
    page = text(asha.get("/"))
    assert f"已提交 2 项任务，佐证编号 {session.scalar(select(Evidence.key))}。下一步由" in page
    assert re.search("下一步由[^。]*Chen[^。]*确认。", page)


def test_what_has_not_begun_says_from_when_it_can_be_filled_in(client_of, session):
    key, asha = "2026.D1-B1.P4-1.L3-02.M06.1", client_of("Asha")
    listed = text(asha.get("/duties?section=later"))
    assert f'href="/duties/{key}"' in listed
    assert f'href="/duties/{key}/tick"' not in listed
    page = text(asha.get(f"/duties/{key}"))
    assert "2026-06-01 起可以填报" in page
    assert f'href="/duties/{key}/tick"' not in page
    opened = asha.get(f"/duties/{key}/tick")
    assert opened.status_code == 200
    assert "周期还没有开始，2026-06-01 起可以填报" in text(opened)


def test_large_sizes_are_shown_in_gigabytes(app):
    with app.test_request_context():
        size_of = app.jinja_env.get_template("duties/_parts.html").module.size_of
        assert [str(size_of(n)) for n in (1, 50 * 1024**2, 5 * 1024**3)] == ["1 KB", "50.0 MB", "5.0 GB"]


def test_a_file_that_is_refused_is_named_and_the_others_are_kept(client_of):
    answer = tick(client_of("Asha"), files=[upload(), upload(b"MZ\x90", "程序.exe")])
    page = text(answer)
    assert answer.status_code == 400
    assert "程序.exe" in page
    assert "已收到：现场.jpg" in page


def test_a_kept_file_of_somebody_else_is_worth_nothing(client_of, session):
    page = text(tick(client_of("Asha"), sentence=""))
    token = re.search(r'name="kept"[^>]*value="([^"]+)"', page)[1]
    answer = post(client_of("Bela"), "/duties/2026.D1-B2.P4-1.L3-02.M05.1/tick", {**SAID, "kept": [token]})
    assert answer.status_code == 400
    assert "需要附文件" in text(answer)


def test_an_upload_beyond_the_limit_is_refused_before_it_is_read(app, client_of):
    client = client_of("Asha")
    token = token_of(client)
    read = []

    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            read.append(len(buffer))
            return len(buffer)

    answer = client.post(
        f"/duties/{MEETING}/tick",
        content_type="multipart/form-data; boundary=x",
        headers={"X-CSRFToken": token},
        environ_overrides={"wsgi.input": Endless(), "CONTENT_LENGTH": str(app.config["MAX_CONTENT_LENGTH"] + 1)},
    )
    assert answer.status_code == 413
    assert sum(read) < 1024**2


def test_the_page_says_the_limits_and_what_does_not_belong_here(client_of):
    page = text(client_of("Asha").get(f"/duties/{MEETING}/tick"))
    assert "单个文件不超过 50.0 MB" in page
    assert "不要上传" in page
    assert 'capture="environment"' in page


def test_a_clerk_saves_and_does_not_submit(client_of, city, session):
    city.appoint("Omar", "D1-B1.P4-1", kind=AppointmentKind.CLERK)
    session.commit()
    assert tick(client_of("Omar")).status_code == 302
    assert duty_of(session, MEETING).state is State.OPEN
    assert post(client_of("Omar"), f"/duties/{MEETING}/submit").status_code == 403
    assert post(client_of("Asha"), f"/duties/{MEETING}/submit").status_code == 302
    assert duty_of(session, MEETING).state is State.SUBMITTED


def test_asha_saves_for_later(client_of, session):
    asha = client_of("Asha")
    assert tick(asha, save="1").location == f"/duties/{MEETING}"
    assert duty_of(session, MEETING).state is State.OPEN
    assert session.scalar(select(func.count()).select_from(EvidenceFact)) == 1
    page = text(asha.get(f"/duties/{MEETING}"))
    assert f"佐证编号 {session.scalar(select(Evidence.key))}，还没有提交" in page
    assert "要由岗位任职人员办理" not in page
    assert "一并保存" not in page
    assert f'action="/duties/{MEETING}/submit"' in page


def test_asha_saves_for_later_what_serves_a_second_duty(client_of):
    asha = client_of("Asha")
    tick(asha, save="1", also=[THEME])
    assert "一并保存的另外 1 项任务也还没有提交。" in text(asha.get(f"/duties/{MEETING}"))


def test_asha_saves_what_she_adds_and_is_told_to_hand_it_in_again(client_of):
    asha = client_of("Asha")
    tick(asha)
    tick(asha, save="1")
    assert "这项任务已经签认过，需要重新提交。" in text(asha.get(f"/duties/{MEETING}"))


def test_a_day_before_the_period_is_refused_by_what_was_chosen(client_of, session):
    asha, early = client_of("Asha"), {"act_on": "2026-04-30"}
    assert "不勾选" not in text(tick(asha, **early))
    assert "或不勾选这一项" in text(tick(asha, "2026.D1-B1.P4-1.L3-02.M04.1", also=[THEME], **early))


def test_the_button_below_a_reason_is_not_named_like_the_one_above_it(client_of):
    asha, chen = client_of("Asha"), client_of("Chen")
    tick(asha)
    page = text(chen.get(f"/duties/{MEETING}"))
    assert (len(re.findall(r">\s*退回\s*<", page)), len(re.findall(r">\s*确定退回\s*<", page))) == (1, 1)
    post(chen, f"/duties/{MEETING}/confirm")
    tick(asha, save="1")
    page = text(asha.get(f"/duties/{MEETING}"))
    assert len(re.findall(r">\s*重新提交（写明改动）\s*<", page)) == 1
    assert "改动了什么" in page


def test_whoever_comes_second_is_told_what_happened(client_of, session):
    client = client_of("Asha")
    tick(client)
    answer = tick(client)
    assert answer.status_code == 409
    assert "已收到：现场.jpg" in text(answer)
    assert session.scalar(select(func.count()).select_from(SignOff)) == 1


def test_asha_adds_to_a_submitted_duty_and_submits_it_again(client_of, session):
    client = client_of("Asha")
    tick(client)
    assert "保存补充的佐证" in text(client.get(f"/duties/{MEETING}/tick"))
    assert tick(client, save="1").status_code == 302
    assert duty_of(session, MEETING).is_changed
    home = text(client.get("/"))
    assert "签认后有改动" in home
    assert re.search(rf'href="/duties/{MEETING}" aria-label="重新提交：', home)
    assert post(client, f"/duties/{MEETING}/submit").status_code == 302
    assert not duty_of(session, MEETING).is_changed


@pytest.mark.parametrize(("who", "status"), [("Omar", 404), ("Ines", 404), ("Chen", 403), ("stranger", 401)])
def test_others_do_not_tick_it(client_of, session, who, status):
    assert tick(client_of(who)).status_code == status
    assert duty_of(session, MEETING).state is State.OPEN


def test_a_tick_without_a_token_is_refused(client_of):
    assert client_of("Asha").post(f"/duties/{MEETING}/tick", data=SAID).status_code == 400


def test_asha_claims_that_it_could_not_be_done(client_of, session):
    client = client_of("Asha")
    assert post(client, f"/duties/{MEETING}/claim", {"claim": "excused", "reason": ""}).status_code == 400
    assert post(client, f"/duties/{MEETING}/claim", {"claim": "excused", "reason": "防汛"}).status_code == 302
    assert duty_of(session, MEETING).state is State.CLAIMED


def test_the_page_of_a_duty_shows_its_history_and_that_it_changed(client_of, session):
    asha, chen = client_of("Asha"), client_of("Chen")
    tick(asha)
    post(chen, f"/duties/{MEETING}/confirm")
    key = session.scalar(select(Evidence.key))
    post(asha, f"/evidence/{key}/files", {"files": [upload(photo("blue"), "补充.jpg")]})
    page = text(asha.get(f"/duties/{MEETING}"))
    assert "签认后有改动" in page
    assert "补充.jpg" in page
    assert page.index("Asha") < page.rindex("Chen")


def test_the_page_of_a_duty_names_what_was_added_since_it_was_signed(client_of, session):
    asha = client_of("Asha")
    tick(asha)
    key = session.scalar(select(Evidence.key))
    post(asha, f"/evidence/{key}/files", {"files": [upload(photo("blue"), "补充.jpg")]})
    page = text(asha.get(f"/duties/{MEETING}"))
    assert "新增文件：补充.jpg" in page
    assert "新增文件：现场.jpg" not in page
    assert "新录入或更正" not in page


def test_pages_take_at_most_fifteen_queries(app, client_of, session):
    client = client_of("Asha")
    tick(client, also=[THEME])
    key = session.scalar(select(Evidence.key))
    session.rollback()
    seen = []
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    for url in ("/", "/duties?section=later", f"/duties/{MEETING}", f"/duties/{MEETING}/tick", f"/evidence/{key}"):
        seen.clear()
        assert client.get(url).status_code == 200
        selects = [s for s in seen if s.lstrip().upper().startswith(("SELECT", "WITH"))]
        assert len(selects) <= 15, (url, len(selects), selects)


def test_a_section_is_read_part_by_part(client_of):
    client = client_of("Asha")
    page = text(client.get("/"))
    more = re.search(r'href="(/duties\?section=later[^"]+)"', page)[1].replace("&amp;", "&")
    assert client.get(more).status_code == 200
    assert TODAY.isoformat() not in more


def test_a_right_that_ends_while_a_file_arrives_is_gone(client_of, session, monkeypatch):
    take_in, asha = UploadForm.take_in, client_of("Asha")

    def dismissed_meanwhile(form):
        take_in(form)
        with writing(session):
            seat = select(Seat.id).where(Seat.key == "D1-B1.P4-1")
            for row in session.scalars(select(Appointment).where(Appointment.seat_id.in_(seat))):
                row.superseded_at = NOW

    monkeypatch.setattr(UploadForm, "take_in", dismissed_meanwhile)
    assert tick(asha).status_code == 403
    assert duty_of(session, MEETING).state is State.OPEN
