"""The sheet that everything is printed on, after GB/T 9704, for what is drawn without the typesetter."""

from __future__ import annotations

MM = 72 / 25.4
A4_WIDTH, A4_HEIGHT = 595.275591, 841.889764  # points, as the typesetter rounds them
TYPE_AREA = (28, 37, 156, 225)  # of an upright sheet: left, top, width, height in millimetres
