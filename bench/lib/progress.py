"""What is going on, on stderr: a bar where somebody looks, plain lines where nobody does."""
import sys
import time


class Progress:
    def __init__(self, total):
        self.total, self.done = max(1, total), 0
        self.begin = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def step(self, text):
        """Says what begins now."""
        self.done = min(self.done + 1, self.total)
        if not self.terminal:
            print(f"[{self.done}/{self.total}] {text}", file=sys.stderr, flush=True)
            return
        filled = 30 * self.done // self.total
        bar = "█" * filled + "░" * (30 - filled)
        print(f"\r\033[K{bar} {self.done}/{self.total}  {text}{self.left()}", end="", file=sys.stderr, flush=True)

    def left(self):
        if self.done < 4:
            return ""
        seconds = (time.monotonic() - self.begin) / (self.done - 1) * (self.total - self.done + 1)
        return f"  {seconds / 60:.0f} min left" if seconds > 90 else f"  {seconds:.0f} s left"

    def note(self, text):
        """A line that stays."""
        print(f"{chr(13)}\033[K{text}" if self.terminal else text, file=sys.stderr, flush=True)

    def skip(self, steps):
        self.done = min(self.done + steps, self.total)

    def end(self):
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
