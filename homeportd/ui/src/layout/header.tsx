import type { ComponentChildren } from "preact";
import { CommandIcon, GearIcon, HomeIcon, TunnelIcon } from "../components/icons";
import { COMMAND_KEY, paletteOpen } from "../state/keyboard";
import { status } from "../state/machine";
import { type Place, placeOf, places, reachablePage } from "../state/places";

const LINKS: Record<Place, { label: string; icon: ComponentChildren }> = {
  home: { label: "Home", icon: <HomeIcon /> },
  tunnels: { label: "Tunnels", icon: <TunnelIcon /> },
  settings: { label: "Settings", icon: <GearIcon /> },
};

const openPalette = () => {
  paletteOpen.value = true;
};

/** The machine's name; on a wide screen the places and the palette. */
export function Header() {
  const { hostname = "", user = "" } = status.value ?? {};
  return (
    <header class="flex items-center gap-x-6 pt-4 sm:pt-5">
      <h1 class="flex min-w-0 items-center gap-2.5">
        <img src="/favicon.svg" alt="" class="size-7" />
        <span class="truncate text-title font-semibold">{hostname}</span>
        <span class="text-small text-soft max-[22rem]:hidden">{user}</span>
      </h1>
      <nav aria-label="Places" class="ml-auto max-sm:hidden">
        <ul class="flex gap-1">
          {places.value.map((place) => (
            <li key={place}>
              <PlaceLink
                place={place}
                style="button px-3 text-soft hover:bg-hover aria-[current]:bg-accent-wash aria-[current]:text-accent"
              />
            </li>
          ))}
        </ul>
      </nav>
      <button type="button" class="button-plain max-sm:hidden" onClick={openPalette}>
        Commands <kbd class="ml-1 font-sans text-small text-soft">{COMMAND_KEY}</kbd>
      </button>
    </header>
  );
}

const BAR_ITEM =
  "flex min-h-14 w-full flex-col items-center justify-center gap-0.5 rounded-box text-small text-soft aria-[current]:font-semibold aria-[current]:text-accent";

/** The places and the palette, on a phone within the thumb's reach. */
export function BottomBar() {
  return (
    <div class="fixed inset-x-0 bottom-0 z-10 flex border-t border-line bg-paper px-2 pb-[env(safe-area-inset-bottom)] sm:hidden">
      <nav aria-label="Places" style={{ flex: places.value.length }}>
        <ul class="flex">
          {places.value.map((place) => (
            <li key={place} class="flex-1">
              <PlaceLink place={place} style={BAR_ITEM} />
            </li>
          ))}
        </ul>
      </nav>
      <div class="flex-1">
        <button type="button" class={BAR_ITEM} onClick={openPalette}>
          <CommandIcon />
          Commands
        </button>
      </div>
    </div>
  );
}

function PlaceLink({ place, style }: { place: Place; style: string }) {
  const { label, icon } = LINKS[place];
  return (
    <a
      href={place === "home" ? "#/" : `#/${place}`}
      aria-current={placeOf(reachablePage.value) === place ? "page" : undefined}
      class={style}
    >
      {icon}
      {label}
    </a>
  );
}
