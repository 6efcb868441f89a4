"""What the log says, in words: verbs, kinds of objects and the members of what was before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext

from tracker.domain.text import _n
from tracker.tasks.papers import KINDS as PAPERS

VERBS: Mapping[str, str] = {
    "accept": _n("同意申报"),
    "account.activated": _n("启用账号"),
    "account.code_issued": _n("发放登录口令"),
    "account.created": _n("开通账号"),
    "account.deactivated": _n("停用账号"),
    "account.demo_password_set": _n("设置演示密码"),
    "account.locked": _n("锁定账号"),
    "account.password_changed": _n("修改密码"),
    "account.roles_set": _n("设定角色"),
    "account.second_factor_removed": _n("停用动态口令"),
    "account.second_factor_set": _n("启用动态口令"),
    "account.sign_in_failed": _n("登录失败"),
    "account.sign_in_refused": _n("拒绝登录"),
    "account.sign_in_unknown": _n("以不存在的账号登录"),
    "account.signed_in": _n("登录"),
    "account.signed_out": _n("退出"),
    "account.unlocked": _n("解除锁定"),
    "add_files": _n("补充文件"),
    "appointment.added": _n("新增任职"),
    "appointment.changed": _n("变更任职"),
    "appointment.withdrawn": _n("撤销任职"),
    "circular.save": _n("保存督查文稿"),
    "claim": _n("申报不适用或无法完成"),
    "close": _n("关闭年度"),
    "confirm": _n("确认"),
    "correct": _n("更正佐证"),
    "decide": _n("作出分配决定"),
    "demo.begun": _n("开始生成演示数据"),
    "demo.finished": _n("生成演示数据"),
    "document.export": _n("下载打印文件或表格"),
    "duty.open": _n("打开任务"),
    "evidence.open": _n("打开佐证"),
    "file.download": _n("下载佐证文件"),
    "file.view": _n("查看佐证文件"),
    "gc": _n("清理无主文件"),
    "good_practice.agree": _n("同意交流"),
    "good_practice.decline": _n("不同意交流"),
    "good_practice.mark": _n("推荐为亮点做法"),
    "good_practice.withdraw": _n("撤回推荐"),
    "handover.prepared": _n("列出移交清单"),
    "handover.signed": _n("签署移交清单"),
    "heads": _n("记录各链链头"),
    "inspection.close": _n("结束督查"),
    "inspection.correct_finding": _n("更正问题"),
    "inspection.find": _n("登记问题"),
    "inspection.hand_in": _n("报送自查表"),
    "inspection.judge": _n("核查"),
    "inspection.overrule": _n("改定得分"),
    "inspection.plan": _n("建立督查"),
    "inspection.rank": _n("设定是否按得分排序"),
    "inspection.sample": _n("加入抽查"),
    "inspection.self_check": _n("填写自查表"),
    "inspection.team": _n("调整检查组"),
    "lay_again": _n("重排任务"),
    "lay_out": _n("生成任务"),
    "link": _n("佐证用于更多任务"),
    "log.view": _n("查看日志条目"),
    "look_back.draw": _n("抽取回头看的问题"),
    "look_back.judge": _n("回头看核查"),
    "open": _n("开启年度"),
    "organization.added": _n("新增组织"),
    "organization.changed": _n("变更组织"),
    "override": _n("调整工作日"),
    "person.added": _n("新增人员"),
    "person.changed": _n("变更人员"),
    "publish": _n("发布清单"),
    "record": _n("登记佐证"),
    "reason.add": _n("添加常用理由"),
    "reason.drop": _n("停用常用理由"),
    "reason.edit": _n("修改常用理由"),
    "rectification.ask_extension": _n("申请延期"),
    "rectification.attach": _n("补充整改佐证"),
    "rectification.close": _n("复核销号"),
    "rectification.fix": _n("立行立改"),
    "rectification.grant_extension": _n("同意延期"),
    "rectification.measure": _n("提出整改措施"),
    "rectification.notify": _n("下达整改通知"),
    "rectification.receive": _n("签收"),
    "rectification.refuse_extension": _n("不同意延期"),
    "rectification.report": _n("报告整改结果"),
    "rectification.return": _n("退回重新整改"),
    "refuse": _n("不同意申报"),
    "reopen": _n("重新打开"),
    "report_event": _n("报告事件"),
    "reroute": _n("改定确认人"),
    "return": _n("退回"),
    "roster.imported": _n("导入名册"),
    "seal.agree": _n("同意封存"),
    "seal.ask": _n("申请封存"),
    "seal.refuse": _n("不同意封存"),
    "submit": _n("提交"),
    "take_back": _n("收回分配决定"),
    "take_off_file": _n("撤下文件"),
    "unlink": _n("佐证不再用于任务"),
    "withdraw": _n("撤回或作废"),
}

# What stands in the access log: who opened or exported something.
ACCESSES = ("duty.open", "evidence.open", "file.view", "file.download", "document.export", "log.view")

KINDS: Mapping[str, str] = {
    "account": _n("账号"),
    "appointment": _n("任职"),
    "checklist": _n("清单"),
    "cycle": _n("年度"),
    "day": _n("日期"),
    "decision": _n("分配决定"),
    "duty": _n("任务"),
    "duty_list": _n("责任清单"),
    "evidence": _n("佐证"),
    "evidence_text": _n("佐证的文字说明"),
    "file": _n("佐证文件"),
    "finding": _n("问题"),
    "frequent_reason": _n("常用理由"),
    "good_practice": _n("亮点做法"),
    "handover": _n("交接"),
    "inspection": _n("督查"),
    "installation": _n("本系统"),
    "inspection_report": _n("督查报告"),
    "log": _n("日志"),
    "log_payload": _n("日志条目的附载内容"),
    "organization": _n("组织"),
    "packet": _n("督查卷"),
    "packet_all": _n("全部督查卷和汇编"),
    "packet_quarter": _n("季度合订卷"),
    "person": _n("人员"),
    "roster": _n("名册"),
    "seat": _n("席位"),
    "self_check": _n("自查报告"),
    "sign_off_reason": _n("签认的理由"),
    "store": _n("文件存储"),
    "unit": _n("单位"),
}

MEMBERS: Mapping[str, str] = {
    "account_name": _n("账号名"),
    "act_on": _n("办理日期"),
    "add": _n("新增"),
    "added": _n("新增"),
    "after": _n("之后"),
    "basis": _n("依据"),
    "before": _n("之前"),
    "by": _n("分层依据"),
    "change": _n("变更"),
    "checklist": _n("清单"),
    "close": _n("结束"),
    "closed_on": _n("撤销日期"),
    "confirmer": _n("确认岗位"),
    "content": _n("签认内容摘要"),
    "count": _n("项数"),
    "counts": _n("数字"),
    "cycle": _n("年度"),
    "dates": _n("起止日期"),
    "deadline": _n("期限"),
    "demand": _n("整改要求"),
    "demands": _n("整改要求"),
    "digest": _n("摘要"),
    "dimension": _n("维度"),
    "due_on": _n("到期"),
    "duties": _n("任务"),
    "duty": _n("任务"),
    "effective_from": _n("生效日期"),
    "ended": _n("终止"),
    "ends_on": _n("截止"),
    "every": _n("周期"),
    "evidence": _n("佐证"),
    "failures": _n("失败次数"),
    "file": _n("文件"),
    "files": _n("文件摘要"),
    "finding": _n("问题"),
    "findings": _n("问题"),
    "frequency": _n("频次"),
    "from": _n("自"),
    "good_practice": _n("亮点做法"),
    "handovers": _n("移交清单"),
    "happened_on": _n("发生日期"),
    "heads": _n("链头"),
    "held": _n("整改是否巩固"),
    "id": _n("编号"),
    "in_force": _n("是否有效"),
    "incoming": _n("接收人任职"),
    "inspection": _n("督查"),
    "is_unit": _n("是否单位"),
    "is_working": _n("是否工作日"),
    "item": _n("事项"),
    "item_id": _n("事项编号"),
    "items": _n("事项"),
    "key": _n("编号"),
    "kind": _n("类别"),
    "label": _n("频次要求"),
    "level": _n("层级"),
    "lines": _n("自查内容"),
    "moved": _n("改期"),
    "name": _n("名称"),
    "note": _n("说明"),
    "notice": _n("督查通知摘要"),
    "number": _n("数目"),
    "numbers": _n("各层数目"),
    "on": _n("日期"),
    "opened_on": _n("成立日期"),
    "organization": _n("组织"),
    "organizations": _n("组织"),
    "outgoing": _n("移交人任职"),
    "overall": _n("总体情况"),
    "paper": _n("文稿"),
    "parent": _n("上级"),
    "percent": _n("百分比"),
    "periods": _n("考核时段"),
    "person": _n("人员"),
    "picked": _n("抽中"),
    "places": _n("所在"),
    "planned_on": _n("计划完成日期"),
    "points": _n("分值"),
    "position": _n("排序"),
    "post": _n("岗位"),
    "problem": _n("问题"),
    "problems": _n("存在问题"),
    "ranked": _n("是否按得分排序"),
    "reason": _n("理由"),
    "reason_sha256": _n("理由摘要"),
    "repeats": _n("重复出现的问题"),
    "requirement": _n("工作要求"),
    "responsibility": _n("责任类别"),
    "revived": _n("恢复"),
    "roles": _n("角色"),
    "rule": _n("抽样规则"),
    "sample": _n("抽样方式"),
    "seat": _n("席位"),
    "seed": _n("随机种子"),
    "self_check_due_on": _n("自查表报送期限"),
    "sentence_sha256": _n("文字说明摘要"),
    "seq": _n("序号"),
    "severity": _n("程度"),
    "sha256": _n("摘要"),
    "side": _n("签字方"),
    "sign_off": _n("签认"),
    "staff_number": _n("工号"),
    "starts_on": _n("开始"),
    "state": _n("状态"),
    "statement_sha256": _n("自查说明摘要"),
    "step": _n("步骤"),
    "tags": _n("标签"),
    "team": _n("检查组"),
    "tenths": _n("得分（十分之一分）"),
    "term_ends_on": _n("届满日期"),
    "text": _n("内容"),
    "times": _n("次数"),
    "title": _n("标题"),
    "units": _n("单位"),
    "until": _n("至"),
    "valid_from": _n("生效日期"),
    "value": _n("结论"),
    "what": _n("事由"),
    "withdraw": _n("撤销"),
    "withdrawn": _n("已作废"),
}

COUNTS = "counts"  # the member whose own members are named by the checklists

# Who is no person.
ACTORS: Mapping[str, str] = {
    "operator": _n("系统（自动任务或运维命令）"),
    "stranger": _n("未登录的人"),
}


@dataclass(frozen=True)
class Change:
    """One member of what was before and after, as text; empty where it was not said."""

    member: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether it was said before and is different now."""
        return bool(self.before) and self.before != self.after


def verb_name(verb: str) -> str:
    """The verb in words; one that has none stands for itself."""
    return str(gettext(VERBS[verb])) if verb in VERBS else verb


def kind_name(kind: str) -> str:
    """The kind of object in words; one that has none stands for itself."""
    if kind in PAPERS:
        return str(gettext(PAPERS[kind].name))
    return str(gettext(KINDS[kind])) if kind in KINDS else kind


def actor_name(key: str, name: str) -> str:
    """What whoever did something is called; those who are no person have no name of their own but one in words."""
    return str(gettext(ACTORS[key])) if key in ACTORS and name in {"", key} else name


def actor_called(words: str) -> str:
    """The key of whoever is no person, by the words that stand for them; anything else as it is."""
    return next((key for key, name in ACTORS.items() if words == gettext(name)), words)


def tells_counts(before: Any, after: Any) -> bool:  # noqa: ANN401  whatever a payload holds
    """Whether anything is counted in it by kinds that a checklist names."""
    return any(isinstance(said, dict) and COUNTS in said for said in (before, after))


def changes_of(before: Any, after: Any, counts: Mapping[str, str] | None = None) -> list[Change]:  # noqa: ANN401  any payload
    """Before and after side by side, one row for each member, however deep it lies; `counts` names what is counted."""
    old, new = dict(_flat(before, counts or {})), dict(_flat(after, counts or {}))
    return [Change(member, old.get(member, ""), new.get(member, "")) for member in dict.fromkeys([*old, *new])]


def _flat(value: Any, counts: Mapping[str, str], path: str = "", inside: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401
    if isinstance(value, dict):
        for key, member in value.items():
            name = counts[key] if inside == COUNTS and key in counts else _member_name(key)
            yield from _flat(member, counts, f"{path} › {name}" if path else name, key)
    elif value is not None or path:
        yield path or str(gettext("内容")), _text(value)


def _member_name(key: str) -> str:
    return str(gettext(MEMBERS[key])) if key in MEMBERS else key


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return str(gettext("是")) if value else str(gettext("否"))
    if isinstance(value, list):
        return "、".join(_text(member) for member in value) or "—"
    if isinstance(value, dict):
        return "；".join(f"{_member_name(key)} {_text(member)}" for key, member in value.items())
    return "—" if value is None else str(value)
