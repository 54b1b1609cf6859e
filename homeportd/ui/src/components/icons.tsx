/** Inline icons, one weight, 20 px. They are never the only sign: a word or a label goes with each. */

import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg
      class="size-5 shrink-0"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const CloseIcon = () => (
  <Icon>
    <path d="m5 5 10 10M15 5 5 15" />
  </Icon>
);
export const CopyIcon = () => (
  <Icon>
    <rect x="7" y="7" width="9" height="9" rx="2" />
    <path d="M13 4.5A1.5 1.5 0 0 0 11.5 4H6a2 2 0 0 0-2 2v5.5A1.5 1.5 0 0 0 5 13" />
  </Icon>
);
export const CheckIcon = () => (
  <Icon>
    <path d="m4.5 10.5 3.5 3.5 7.5-8" />
  </Icon>
);
export const MoreIcon = () => (
  <Icon>
    <path d="M4.5 10h.01M10 10h.01M15.5 10h.01" stroke-width="2.4" />
  </Icon>
);
export const OpenIcon = () => (
  <Icon>
    <path d="M8 4.5H5.5a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1h9a1 1 0 0 0 1-1V12M11.5 4.5h4v4M15.5 4.5 9.5 10.5" />
  </Icon>
);
export const LockIcon = () => (
  <Icon>
    <rect x="4.5" y="9" width="11" height="7.5" rx="1.5" />
    <path d="M7 9V6.5a3 3 0 0 1 6 0V9" />
  </Icon>
);
export const KeyIcon = () => (
  <Icon>
    <circle cx="7" cy="13" r="3.2" />
    <path d="m9.4 10.7 6.1-6.2M13 7l2 2" />
  </Icon>
);
export const GlobeIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="6.5" />
    <path d="M3.5 10h13M10 3.5c4 4 4 9 0 13M10 3.5c-4 4-4 9 0 13" />
  </Icon>
);
export const GearIcon = () => (
  <Icon>
    <path d="M4 6.5h6M14 6.5h2M4 13.5h2M10 13.5h6" />
    <circle cx="12" cy="6.5" r="1.8" />
    <circle cx="8" cy="13.5" r="1.8" />
  </Icon>
);
export const SearchIcon = () => (
  <Icon>
    <circle cx="9" cy="9" r="4.5" />
    <path d="m12.5 12.5 3.5 3.5" />
  </Icon>
);
export const CommandIcon = () => (
  <Icon>
    <path d="m5 6 4 4-4 4M11 14h4.5" />
  </Icon>
);
export const ShareIcon = () => (
  <Icon>
    <path d="M10 12V3.5M6.8 6.5 10 3.3l3.2 3.2M5.5 9.5h-1v7h11v-7h-1" />
  </Icon>
);
export const ListIcon = () => (
  <Icon>
    <path d="M7.5 5.5H16M7.5 10H16M7.5 14.5H16M4 5.5h.01M4 10h.01M4 14.5h.01" />
  </Icon>
);
export const StopIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="6.5" />
    <path d="m5.5 5.5 9 9" />
  </Icon>
);
export const ChevronIcon = () => (
  <Icon>
    <path d="m8 6 4 4-4 4" />
  </Icon>
);
export const PlusIcon = () => (
  <Icon>
    <path d="M10 4v12M4 10h12" />
  </Icon>
);
export const TrashIcon = () => (
  <Icon>
    <path d="M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10" />
  </Icon>
);
export const PencilIcon = () => (
  <Icon>
    <path d="m4 16 .8-3.2L13 4.6 15.4 7l-8.2 8.2L4 16Z" />
  </Icon>
);
export const RefreshIcon = () => (
  <Icon>
    <path d="M15.5 8A6 6 0 0 0 5 6.5L4 8M4.5 12A6 6 0 0 0 15 13.5l1-1.5M4 4v4h4M16 16v-4h-4" />
  </Icon>
);
export const HomeIcon = () => (
  <Icon>
    <path d="M3.5 9.5 10 4l6.5 5.5M5.5 8.5v7.5h9V8.5M8.5 16v-4h3v4" />
  </Icon>
);
export const TunnelIcon = () => (
  <Icon>
    <path d="M3.5 15.5v-4a6.5 6.5 0 0 1 13 0v4M7 15.5v-4a3 3 0 0 1 6 0v4M2.5 15.5h15" />
  </Icon>
);
export const PlayIcon = () => (
  <Icon>
    <path d="M6.5 4.5v11l9-5.5-9-5.5Z" />
  </Icon>
);
export const DownIcon = () => (
  <Icon>
    <path d="M10 4v12M5.5 11.5 10 16l4.5-4.5" />
  </Icon>
);
