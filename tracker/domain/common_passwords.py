"""Passwords and words that are tried first, in lower case: whole passwords, and words that people only dress up."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WHOLE = _words(
    """
    123456789 1234567890 12345678 11111111 00000000 88888888 66666666 87654321 123123123 147258369 123456789a
    a123456789 aa123456 aa12345678 abc12345 abc123456 abcd1234 abcd123456 a1b2c3d4 1q2w3e4r 1q2w3e4r5t 123456aa
    1qaz!qaz !qaz2wsx 1qazxsw2 qazwsxedc qaz123456 zaq12wsx qwer1234 qwer!@#$ asdf1234 zxcv1234 q1w2e3r4 !q2w3e4r
    qwerty123 qwerty123456 1234qwer p@ssw0rd passw0rd 5201314 woaini1314 woaini520 asd123456 zxc123456 qwe123456
    password123 123qweasd 123qwe!@# !@#$%^&* 1234abcd abcd!234 aa123456! aa123456. aa@123456 a@123456 abc@1234
    abc!@#123 abc@123456 admin123 admin@123 admin888 administrator root123456 test1234 test@123 user1234 changeme
    china@2025 china@2026 hello123 iloveyou iloveyou1 sunshine football baseball superman princess trustno1
    1qaz2wsx 1qaz@wsx dragon123 huawei@123
    """
)

WORDS = _words(
    """
    password passwd passwort pass admin administrator root user test guest login welcome changeme letmein master
    default secret qwer qwert qwerty qwertyuiop asdf asdfgh asdfghjkl zxcv zxcvbn zxcvbnm qaz qazwsx qwe asd zxc
    abc abcd abcde abcdef aa aaa aaaa a woaini iloveyou love hello china zhongguo beijing mima system
    monday january summer winter spring autumn tracker 密码 口令 我的密码 管理员 测试
    """
)
