"""One sound file of every accepted kind, for the tests."""

from functools import partial

from tracker.storage import samples

TITLE = "三月主题活动记录"
LINES = ["时间：2026年3月5日", "到会：12 人"]

EVERY_KIND = {
    "pdf": partial(samples.sample_pdf, TITLE, LINES),
    "jpeg": partial(samples.sample_jpeg, 7, gps=True),
    "png": partial(samples.sample_png, 7, gps=True),
    "webp": partial(samples.sample_webp, 7, gps=True),
    "heic": partial(samples.sample_heic, 7, gps=True),
    "docx": partial(samples.sample_docx, TITLE, LINES),
    "xlsx": partial(samples.sample_xlsx, TITLE, [LINES]),
    "pptx": partial(samples.sample_pptx, TITLE, LINES),
    "ofd": partial(samples.sample_ofd, TITLE, LINES),
    "txt": partial(samples.sample_txt, LINES),
}
PICTURES = ("jpeg", "png", "webp", "heic")
