import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { CloseIcon } from "./icons";

interface Props {
  title: string;
  /** A line under the title. */
  about?: string | undefined;
  width?: string;
  onClose: () => void;
  /** Stays visible at the bottom while the rest scrolls. */
  footer?: ComponentChildren;
  children: ComponentChildren;
}

/** A native modal dialog: the browser keeps the focus inside and returns it afterwards. */
export function Dialog({ title, about, width = "sm:max-w-xl", onClose, footer, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      class={`sheet bg-paper text-ink shadow-float ${width}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        // The backdrop is the dialog itself; a drag that starts in a field may end there.
        if (event.target === event.currentTarget) onClose();
      }}
    >
      <div class="flex max-h-[inherit] flex-col">
        <header class="flex items-start gap-3 border-b border-line py-2 pr-2 pl-4 sm:pl-5">
          <div class="min-w-0 flex-1 py-1.5 max-sm:py-2.5">
            <h2
              id={id}
              class="text-title font-semibold outline-none [overflow-wrap:anywhere]"
              tabIndex={-1}
              autofocus
            >
              {title}
            </h2>
            {about && <p class="text-small text-soft [overflow-wrap:anywhere]">{about}</p>}
          </div>
          <button type="button" class="button text-soft hover:bg-hover" aria-label="Close" onClick={onClose}>
            <CloseIcon />
          </button>
        </header>
        <div class="min-h-0 flex-1 overflow-y-auto overscroll-contain p-4 sm:p-5">{children}</div>
        {footer && (
          <footer class="border-t border-line px-4 pt-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] sm:px-5">
            {footer}
          </footer>
        )}
      </div>
    </dialog>
  );
}
