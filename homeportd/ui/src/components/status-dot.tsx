/** The colours of states; `error` is for what does not work. */
export type Tone = "private" | "password" | "public" | "error";

const DOTS: Record<Tone, string> = {
  private: "border-private-dot bg-private-dot",
  password: "border-password-dot bg-password-dot",
  public: "border-public-dot bg-public-dot",
  error: "border-danger bg-danger",
};
export const TONE_TEXT: Record<Tone, string> = {
  private: "text-private",
  password: "text-password",
  public: "text-public",
  error: "text-danger",
};

/** The colour of a state; hollow for what is not running. The text beside the dot says the same. */
export function StatusDot({ tone, filled }: { tone: Tone; filled: boolean }) {
  return (
    <span
      aria-hidden="true"
      class={`block size-2.5 shrink-0 rounded-full border-2 ${DOTS[tone]} ${filled ? "" : "bg-transparent"}`}
    />
  );
}
