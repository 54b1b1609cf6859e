import { announcement, notice } from "./browser/notices";
import { ProblemBox } from "./components/problem-box";
import { Layout } from "./layout/layout";
import { Login } from "./login/login";
import { failure, phase, start } from "./state/agent";

/** The page of each phase, the notice, and the live region for screen readers, which must be there all the time. */
export function App() {
  return (
    <>
      {phase.value === "starting" && <p class="p-6 text-soft">Asking this machine what runs …</p>}
      {phase.value === "login" && <Login />}
      {phase.value === "failed" && <Failed />}
      {phase.value === "ready" && <Layout />}
      <div role="status" aria-live="polite" class="sr-only">
        {announcement.value}
      </div>
      {notice.value && (
        <div
          aria-hidden="true"
          class="appear pointer-events-none fixed inset-x-4 bottom-24 z-10 mx-auto w-fit rounded-box bg-ink px-4 py-2.5 text-paper shadow-float sm:bottom-6"
        >
          {notice.value}
        </div>
      )}
    </>
  );
}

function Failed() {
  return (
    <main class="mx-auto max-w-xl space-y-4 p-6 pt-[12dvh]">
      <h1 class="text-title font-semibold">Homeport</h1>
      {failure.value && <ProblemBox problem={failure.value} />}
      <button type="button" class="button-main" onClick={() => void start()}>
        Try again
      </button>
    </main>
  );
}
