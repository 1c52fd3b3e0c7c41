"""placeholder"""


class FrameTaker: ...
