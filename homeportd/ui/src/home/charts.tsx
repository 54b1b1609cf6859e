/** Two small charts, hidden from screen readers: the number beside each says the same. */

const WIDTH = 72;
const HEIGHT = 18;
/** As many points as `cpuHistory` keeps; the newest is at the right edge. */
const POINTS = 60;
const NEARLY_FULL = 0.9;

/** Percent over time, 0 at the bottom and 100 at the top. */
export function Sparkline({ points }: { points: readonly number[] }) {
  const step = WIDTH / (POINTS - 1);
  const start = WIDTH - (points.length - 1) * step;
  const coordinates = points.map((point, index) => {
    const y = HEIGHT - 1 - (Math.min(100, Math.max(0, point)) / 100) * (HEIGHT - 2);
    return `${(start + index * step).toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg
      class="h-4.5 w-18 max-w-full"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} class="stroke-line" vector-effect="non-scaling-stroke" />
      {coordinates.length > 1 && (
        <polyline
          points={coordinates.join(" ")}
          fill="none"
          class="stroke-accent"
          stroke-width="1.5"
          stroke-linejoin="round"
          vector-effect="non-scaling-stroke"
        />
      )}
    </svg>
  );
}

/** The used part of something, as a bar. */
export function Meter({ used, total }: { used: number; total: number }) {
  const part = total > 0 ? Math.min(1, used / total) : 0;
  return (
    <svg
      class="h-4.5 w-18 max-w-full"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <rect y="6" width={WIDTH} height="6" rx="3" class="fill-line" />
      <rect
        y="6"
        width={part * WIDTH}
        height="6"
        rx="3"
        class={part > NEARLY_FULL ? "fill-danger" : "fill-accent"}
      />
    </svg>
  );
}
