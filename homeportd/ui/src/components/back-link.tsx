import { ChevronIcon } from "./icons";

/** A link to the page above, at the head of a page. */
export function BackLink({ href, label }: { href: string; label: string }) {
  return (
    <p class="mt-3 sm:mt-4">
      <a href={href} class="button -ml-2 px-2 text-soft hover:bg-hover">
        <span class="rotate-180">
          <ChevronIcon />
        </span>
        {label}
      </a>
    </p>
  );
}
