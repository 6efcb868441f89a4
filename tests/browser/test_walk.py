"""The whole way, as the people of a small city go it: from a published list to a report that names every file."""

from __future__ import annotations

import io
import subprocess
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import IFD
from pillow_heif import register_heif_opener
from playwright.sync_api import FilePayload
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.browser.installation import Installation
from tests.browser.visitor import PHONE, Visitor, visit
from tests.roster_files import EXAMPLE, SINCE, roster_file
from tracker.models import StoredFile
from tracker.storage.blobs import BlobStore
from tracker.storage.samples import sample_heic, sample_jpeg, sample_pdf

ORGANIZATIONS = (
    ("QH", "", "清河市直机关", "root", "", "否", 1, SINCE),
    ("QH-LY", "QH", "清河市林业局", "L1", "", "是", 2, SINCE),
    ("QH-LY-M", "QH-LY", "林业局二级组织", "L2", "", "否", 3, SINCE),
    ("QH-LY-1", "QH-LY-M", "林业局第一支部", "L3", "has-committee", "否", 4, SINCE),
)
PEOPLE = (
    ("rong", "0001", "江海舟"),
    ("dong", "0002", "柳如川"),
    ("chen", "0003", "沈望山"),
    ("asha", "0004", "陆明远"),
)
APPOINTMENTS = (
    ("QH", "R1", "", "rong", "任职", SINCE),
    ("QH-LY", "P1", "", "dong", "任职", SINCE),
    ("QH-LY-M", "P3", "", "chen", "任职", SINCE),
    ("QH-LY-1", "P4", "", "asha", "任职", SINCE),
)
PHOTO, SCREEN, MINUTES = "活动照片.jpg", "活动照片二.heic", "会议记录.pdf"
DAY, LECTURE = "2026.QH-LY-1.P4-1.L3-05.M05.1", "2026.QH-LY-1.P4-1.L3-04.H1.1"  # a month's event, a half year's lecture
DAY_TITLE, LECTURE_TITLE = "开展主题党日", "组织党员上党课"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SAID = "开展主题党日，书记讲党课"
FOUND = "应到人数与名册不一致，相差一人"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """What the secretary's phone holds: two photos that say where they were taken, and the minutes."""
    return {
        PHOTO: sample_jpeg(1, gps=True, taken_on=date(2026, 5, 18)),
        SCREEN: sample_heic(2, gps=True, taken_on=date(2026, 5, 18)),
        MINUTES: sample_pdf("主题党日活动记录", ["应到 12 人，实到 11 人", "集中学习，书记讲党课"]),
    }


def code_of(installation: Installation, *arguments: str) -> str:
    """The one-time code that the operator's command prints."""
    printed = installation.command("user", "create", *arguments)
    return printed.split("one-time code ")[1].split()[0]


def chosen(files: dict[str, bytes], *names: str) -> list[FilePayload]:
    """Files as a file field takes them; a browser does not know what kind a HEIC is."""
    return [{"name": name, "mimeType": "application/octet-stream", "buffer": files[name]} for name in names]


def arrive(visitor: Visitor, account: str, code: str) -> None:
    """Sign in for the first time and choose a password."""
    visitor.sign_in(account, code)
    visitor.reads("您用一次性口令登录")
    visitor.choose_password()
    visitor.reads("密码已修改")


def test_from_a_published_list_to_a_report_that_names_every_file(new_city, browser, files, tmp_path):
    codes = {
        "adam": code_of(new_city, "adam", "--name", "周正", "--role", "administrator"),
        "ines": code_of(new_city, "ines", "--name", "方明", "--role", "inspector"),
        "ada": code_of(new_city, "ada", "--name", "贺知秋", "--role", "auditor"),
    }
    with visit(browser, new_city.url) as adam:
        arrive(adam, "adam", codes["adam"])
        publish_the_list(adam)
        import_the_roster(adam)
        open_the_year(adam)
        for account, name in (("asha", "陆明远"), ("chen", "沈望山")):
            codes[account] = hand_out_a_code(adam, name)
    with (
        visit(browser, new_city.url, device=PHONE) as asha,
        visit(browser, new_city.url) as chen,
        visit(browser, new_city.url) as ines,
    ):
        arrive(asha, "asha", codes["asha"])
        tick_two_duties_with_one_record(asha, files)
        arrive(chen, "chen", codes["chen"])
        confirm_one_and_return_the_other(chen)
        fix_and_submit_again(asha, files)
        confirm_the_rest(chen)
        arrive(ines, "ines", codes["ines"])
        plan_a_check(ines)
        judge_and_note_a_finding(ines)
        close_the_check(ines)
        report = ask_for_the_report(ines, tmp_path)
    with visit(browser, new_city.url) as ada:
        arrive(ada, "ada", codes["ada"])
        read_the_log(ada)
    read_the_report(report, stored_files(new_city, files))
    new_city.command("log", "verify")
    new_city.command("verify")


def publish_the_list(adam: Visitor) -> None:
    adam.turn_to("清单")
    adam.follow("发布清单")
    adam.page.get_by_label("清单文件").set_input_files(EXAMPLE)
    adam.press("检查并发布")
    adam.reads("内容不再改变", sha256(EXAMPLE.read_bytes()).hexdigest())


def import_the_roster(adam: Visitor) -> None:
    adam.turn_to("组织")
    adam.follow("导入花名册")
    file = roster_file(ORGANIZATIONS, PEOPLE, APPOINTMENTS).getvalue()
    adam.page.get_by_label("花名册文件").set_input_files([{"name": "花名册.xlsx", "mimeType": XLSX, "buffer": file}])
    adam.press("试算")
    adam.reads("下列变化尚未保存", "林业局第一支部")
    adam.press("确认导入")
    adam.reads("已导入", "林业局第一支部")


def open_the_year(adam: Visitor) -> None:
    adam.turn_to("年度")
    adam.fill("年度", "2026")
    adam.press("先看任务量")
    adam.reads("2026 年度任务量", "林业局第一支部")
    adam.press("确认开启 2026 年度")
    adam.reads("2026 年度已开启")


def hand_out_a_code(adam: Visitor, name: str) -> str:
    adam.turn_to("账号")
    adam.page.locator("main").get_by_role("link", name=name).click()
    adam.press("重置密码，发一次性口令")
    return adam.page.locator("dd.lead").inner_text().strip()


def tick_two_duties_with_one_record(asha: Visitor, files: dict[str, bytes]) -> None:
    asha.go("/")
    asha.reads("我的任务", "已经逾期的")
    asha.go(f"/duties/{DAY}/tick")
    asha.reads(DAY_TITLE, "不要上传", "单个文件不超过")
    asha.fill("办理日期", "2026-05-18")
    asha.fill("一句话说明", SAID)
    asha.fill("应到", "12")
    asha.fill("实到", "11")
    asha.page.get_by_label("文件", exact=True).set_input_files(chosen(files, PHOTO, SCREEN, MINUTES))
    asha.page.get_by_label(LECTURE_TITLE).check()
    asha.press("提交")
    asha.reads("已提交 2 项任务")


def confirm_one_and_return_the_other(chen: Visitor) -> None:
    chen.turn_to("待我确认")
    chen.reads("共 2 项", SAID)
    chen.page.locator("main").get_by_role("link", name=DAY_TITLE).click()
    chen.reads(PHOTO, SCREEN, MINUTES, "已去除位置信息")
    assert chen.page.get_by_role("img", name="预览").first.evaluate("image => image.decode().then(() => true)")
    chen.press("确认")
    chen.reads("已确认")
    chen.turn_to("待我确认")
    chen.page.get_by_label(LECTURE_TITLE).check()
    chen.fill("退回原因", "请补充讲稿")
    chen.press("退回所选")
    chen.reads("已退回 1 项")


def fix_and_submit_again(asha: Visitor, files: dict[str, bytes]) -> None:
    asha.go("/")
    asha.reads("退回和需要重新提交的", LECTURE_TITLE)
    asha.page.get_by_role("link", name=LECTURE_TITLE, exact=True).first.click()
    asha.reads("请补充讲稿")
    asha.follow("补充后重新提交")
    asha.fill("办理日期", "2026-05-18")
    asha.fill("一句话说明", "补充讲稿")
    asha.fill("应到", "12")
    asha.fill("实到", "11")
    lecture = {"讲稿.pdf": sample_pdf("党课讲稿", ["第一部分"])}
    asha.page.get_by_label("文件", exact=True).set_input_files(chosen(lecture, "讲稿.pdf"))
    asha.press("提交")
    asha.reads("已提交 1 项任务")


def confirm_the_rest(chen: Visitor) -> None:
    chen.turn_to("待我确认")
    chen.page.get_by_label("全选").check()
    chen.press("确认所选")
    chen.reads("已确认 1 项", "没有等您确认的任务")


def plan_a_check(ines: Visitor) -> None:
    ines.turn_to("督查")
    ines.follow("新建督查")
    ines.fill("名称", "二季度专项督查")
    ines.fill("依据", "年度工作安排")
    ines.fill("检查开始", "2026-05-20")
    ines.fill("检查结束", "2026-05-29")
    ines.fill("检查时段自", "2026-05-01")
    ines.fill("检查时段至", "2026-06-30")
    ines.page.get_by_label("组长").select_option(label="方明")
    ines.page.get_by_label("清河市林业局").check()
    ines.page.get_by_label("在任务清单中逐项挑选").check()
    ines.press("建立")
    ines.reads("已建立第 1 号督查")
    for key in (DAY, LECTURE):
        ines.page.locator(f'input[name="duty"][value="{key}"]').check()
    ines.press("加入抽查")
    ines.reads("已加入抽查")


def judge_and_note_a_finding(ines: Visitor) -> None:
    ines.go("/inspections/1")
    ines.follow("进入核查台")
    ines.page.locator("[data-reasons]:not([hidden])").wait_for(state="attached")
    ines.press("落实")
    ines.page.get_by_text("已核查 1 / 2", exact=True).wait_for()
    ines.press("部分落实")
    ines.page.get_by_role("status").get_by_text("须写明理由").wait_for()  # what is missing is asked for
    ines.fill("说明", "讲稿是后补的")
    ines.press("部分落实")
    ines.page.get_by_role("status").get_by_text("抽查任务已全部核查").wait_for()
    ines.go("/inspections/1")
    ines.follow("登记问题")
    ines.page.locator("main").get_by_label("组织").select_option(label="林业局第一支部")
    ines.fill("问题", FOUND)
    ines.page.get_by_label("责任岗位").select_option(index=3)
    ines.fill("整改要求", "核对名册并更正")
    ines.fill("或者整改期限到哪一天", "2026-06-15")
    ines.press("登记")
    ines.reads("已登记问题", FOUND)


def close_the_check(ines: Visitor) -> None:
    ines.follow("结束本次督查")
    ines.reads("部分落实、未落实而没有登记问题")
    ines.press("确认结束本次督查")
    ines.reads("本次督查已结束")


def ask_for_the_report(ines: Visitor, folder: Path) -> Path:
    ines.press("生成督查报告")
    ines.page.get_by_role("link", name="下载 PDF").wait_for(timeout=90_000)
    with ines.page.expect_download() as waiting:
        ines.follow("下载 PDF")
    ines.reads(sha256(Path(waiting.value.path()).read_bytes()).hexdigest())
    waiting.value.save_as(folder / "report.pdf")
    return folder / "report.pdf"


def read_the_log(ada: Visitor) -> None:
    """The auditor sees who signed and who judged, and the chain of the unit."""
    ada.go("/log?chain=QH-LY")
    rows = ada.page.locator("main table").inner_text()
    for done in ("提交", "退回", "确认", "登记问题", "结束督查"):
        assert done in rows


def stored_files(installation: Installation, files: dict[str, bytes]) -> list[str]:
    """The digests of what was kept; see that the photos no longer say where they were taken."""
    engine = installation.engine()
    with Session(engine) as session:
        kept = list(session.scalars(select(StoredFile.sha256)))
    engine.dispose()
    store = BlobStore(installation.settings.store_dir)
    contents = {digest: store.path(digest).read_bytes() for digest in kept}
    assert len(kept) == 4
    assert sha256(files[MINUTES]).hexdigest() in kept
    assert not {sha256(files[PHOTO]).hexdigest(), sha256(files[SCREEN]).hexdigest()} & set(kept)
    register_heif_opener()
    pictures = [content for content in contents.values() if not content.startswith(b"%PDF")]
    assert [dict(Image.open(io.BytesIO(content)).getexif().get_ifd(IFD.GPSInfo)) for content in pictures] == [{}, {}]
    return kept


def read_the_report(report: Path, kept: list[str]) -> None:
    printed = subprocess.run(["pdftotext", "-layout", report, "-"], capture_output=True, text=True, check=True).stdout
    text = "".join(printed.split())
    for sentence in ("清河市林业局", DAY_TITLE, LECTURE_TITLE, FOUND, "二季度专项督查", *kept):
        assert sentence in text, f"the report does not say {sentence!r}:\n{printed}"
