import type { TrafficMinute } from "../api/types";
import { formatBytes } from "../model/byte-size";
import { bytesPerMinute, describeHour, SHOWN_MINUTES } from "../model/traffic";

const HEIGHT = 40;
const BAR = 4; // width of a minute, of which 1 is the gap
/** So that a minute with little traffic is visible beside a minute with a thousand times as much. */
const MIN_HEIGHT = 1.5;

/** Bytes per minute in the last hour, labelled at its ends; the sentence below has the sums. */
export function TrafficChart({ minutes, now }: { minutes: readonly TrafficMinute[]; now: Date }) {
  const bars = bytesPerMinute(minutes, now);
  const peak = Math.max(...bars);
  if (peak === 0) return <p>{describeHour(minutes)}</p>;
  return (
    <figure>
      <p class="text-small text-soft" aria-hidden="true">
        most in a minute {formatBytes(peak)}
      </p>
      <svg
        class="h-16 w-full"
        viewBox={`0 0 ${SHOWN_MINUTES * BAR} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        <path
          d={`M0 ${HEIGHT - 0.5}H${SHOWN_MINUTES * BAR}`}
          class="stroke-line"
          vector-effect="non-scaling-stroke"
        />
        {bars.map((bytes, index) => {
          const height = bytes === 0 ? 0 : Math.max(MIN_HEIGHT, (bytes / peak) * (HEIGHT - 1));
          return (
            height > 0 && (
              <rect
                key={index}
                data-minute
                x={index * BAR}
                y={HEIGHT - height}
                width={BAR - 1}
                height={height}
                class="fill-accent"
              />
            )
          );
        })}
      </svg>
      <div class="flex justify-between text-small text-soft" aria-hidden="true">
        <span>an hour ago</span>
        <span>now</span>
      </div>
      <figcaption class="mt-1.5">{describeHour(minutes)}</figcaption>
    </figure>
  );
}
