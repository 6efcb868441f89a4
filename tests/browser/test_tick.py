"""Ticking where not everything goes well: a browser without scripts, a file that may not be here."""

from __future__ import annotations

from tests.browser.visitor import PASSWORD, PHONE, visit
from tracker.storage.samples import sample_txt


def text_file(name: str, content: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def test_a_duty_is_ticked_with_scripts_switched_off(lived_in, browser, shared_out):
    installation, _ = lived_in
    state = shared_out.states["asha"]
    with visit(browser, installation.url, device=PHONE, storage_state=state, java_script_enabled=False) as asha:
        asha.speak("zh")
        asha.go("/duties/2026.D1-B1.P4-1.L3-02.M04.1/tick")
        asha.fill("办理日期", "2026-04-20")
        asha.fill("一句话说明", "研究五月工作")
        asha.fill("应到", "5")
        asha.fill("实到", "5")
        asha.page.get_by_label("文件", exact=True).set_input_files([text_file("记录.txt", sample_txt(["四月会议"]))])
        asha.press("提交")
        asha.reads("已提交 1 项任务")


def test_a_refused_file_keeps_what_was_typed_and_the_files_that_were_fine(lived_in, browser, shared_out):
    installation, _ = lived_in
    with visit(browser, installation.url, device=PHONE, storage_state=shared_out.states["asha"]) as asha:
        asha.speak("zh")
        asha.go("/duties/2026.D1-B1.P4-1.L3-02.M03.1/tick")
        asha.fill("办理日期", "2026-03-20")
        asha.fill("一句话说明", "研究四月工作")
        asha.fill("应到", "5")
        asha.fill("实到", "4")
        sound, wrong = text_file("记录.txt", sample_txt(["三月会议"])), text_file("照片.jpg", b"MZ this is a program")
        asha.page.get_by_label("文件", exact=True).set_input_files([sound, wrong])
        asha.press("提交")
        asha.reads("有内容需要修改，已填写的都还在", "照片.jpg", "已收到：记录.txt")
        assert asha.page.get_by_label("一句话说明").input_value() == "研究四月工作"
        assert asha.page.get_by_label("办理日期").input_value() == "2026-03-20"
        assert asha.page.get_by_label("实到").input_value() == "4"
        asha.press("提交")
        asha.reads("已提交 1 项任务")
        asha.go("/duties/2026.D1-B1.P4-1.L3-02.M03.1")
        asha.reads("研究四月工作", "记录.txt")


def test_a_session_that_ended_loses_no_word_that_was_typed(lived_in, browser):
    installation, _ = lived_in
    with visit(browser, installation.url) as asha:
        asha.sign_in("asha")
        asha.go("/duties/2026.D1-B1.P4-1.L3-02.M01.1/tick")
        asha.fill("办理日期", "2026-01-20")
        asha.fill("一句话说明", "研究二月工作")
        asha.fill("应到", "5")
        asha.fill("实到", "3")
        asha.page.context.clear_cookies()
        asha.press("提交")
        asha.reads("登录已失效，这次没有提交", "文字还保留在这个标签页里")
        asha.page.get_by_text("文字还保留在这个标签页里").wait_for(state="visible")
        asha.follow("重新登录")
        asha.page.get_by_text("文字还保留在这个标签页里").wait_for(state="visible")
        asha.page.get_by_label("账号").fill("asha")
        asha.page.get_by_label("密码").fill(PASSWORD)
        asha.press("登录")
        asha.reads("上次没有提交成功的文字已填回")
        assert asha.page.get_by_label("一句话说明").input_value() == "研究二月工作"
        assert asha.page.get_by_label("办理日期").input_value() == "2026-01-20"
        assert asha.page.get_by_label("实到").input_value() == "3"
        asha.page.get_by_label("文件", exact=True).set_input_files([text_file("记录.txt", sample_txt(["一月会议"]))])
        asha.press("提交")
        asha.reads("已提交 1 项任务")
        asha.go("/duties/2026.D1-B1.P4-1.L3-02.M01.1/tick")
        assert asha.page.get_by_label("一句话说明").input_value() == ""
        assert asha.page.evaluate("Object.keys(sessionStorage)") == []
