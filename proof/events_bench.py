"""What events cost a checkout, and how soon they have their effects: the same loads with them and without."""

from proof.bench_platform import BenchPlatform
from proof.effects import Effects, EffectsMeter, forget_events
from proof.load import Subject
from proof.measured import Phase, Turn
from proof.percentiles import percentiles
from proof.sending import Sending, Tell, Volume

WARM_UP = 15


class EventsBench:
    """Takes turns on one platform: each run measures with events on and off, one after the other."""

    def __init__(
        self, platform: BenchPlatform, sending: Sending, full: Volume, half_seconds: float, tell: Tell
    ) -> None:
        self._platform = platform
        self._sending = sending
        self._full = full
        self._half_seconds = half_seconds
        self._tell = tell
        self._on = True
        self._rate: float | None = None

    async def run(self, runs: int) -> list[Turn]:
        """Measure on a platform whose events are on.

        Every other run goes the other way round: a machine that grows slower or faster favours neither side.
        """
        turns = []
        for run in range(1, runs + 1):
            for on in (True, False) if run % 2 else (False, True):
                await self._switch(on)
                turns.append(await self._turn(run))
        return turns

    async def _switch(self, on: bool) -> None:
        if on == self._on:
            return
        self._tell(f"starting anew with events {'on' if on else 'off'}")
        await forget_events(self._platform)
        await self._platform.down()
        await self._platform.up(events=on)
        self._on = on

    async def _turn(self, run: int) -> Turn:
        full, full_effects = await self._load(run, self._full)
        if self._rate is None:
            # The first turn is one with events: half of what they leave is what both sides then get.
            self._rate = full.sample.per_second / 2
        half, half_effects = await self._load(run, self._half(self._rate))
        return Turn(
            run=run,
            events=self._on,
            full=full,
            half=half,
            full_effects=full_effects,
            half_effects=half_effects,
        )

    def _half(self, rate: float) -> Volume:
        return Volume(
            clients=1,
            requests=round(rate * self._half_seconds),
            seconds=self._half_seconds,
            warm_up=WARM_UP,
            rate=rate,
        )

    async def _load(self, run: int, volume: Volume) -> tuple[Phase, Effects | None]:
        if not self._on:
            phase = await self._sending.send(run, Subject.CHECKOUT, volume)
            self._sending.tell(phase, "  events off")
            return phase, None
        meter = EffectsMeter(self._platform)
        phase = await self._sending.send(run, Subject.CHECKOUT, volume, meter.start)
        effects = await meter.read()
        p99 = percentiles(effects.all_ms)[98]
        self._sending.tell(phase, f"  events on, effects p99 {p99:.0f} ms, {effects.missing} missing")
        return phase, effects
