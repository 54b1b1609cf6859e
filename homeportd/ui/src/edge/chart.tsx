import { sizeWords } from "../model/describe";
import { hourWords, lastHour, SHOWN_MINUTES } from "../model/minutes";
import type { Minute } from "../model/types";

const HEIGHT = 40;
const BAR = 4; // width of a minute, of which 1 is the gap
/** A minute in which anything moved is seen beside one that carried a thousand times more. */
const LEAST = 1.5;

/** Bytes a minute over the last hour, labelled at its ends; the sentence below says what it comes to. */
export function HourChart({ minutes, now }: { minutes: readonly Minute[]; now: Date }) {
  const bars = lastHour(minutes, now);
  const peak = Math.max(...bars);
  if (peak === 0) return <p>{hourWords(minutes)}</p>;
  return (
    <figure>
      <p class="text-small text-soft" aria-hidden="true">
        most in a minute {sizeWords(peak)}
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
          const height = bytes === 0 ? 0 : Math.max(LEAST, (bytes / peak) * (HEIGHT - 1));
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
      <figcaption class="mt-1.5">{hourWords(minutes)}</figcaption>
    </figure>
  );
}
