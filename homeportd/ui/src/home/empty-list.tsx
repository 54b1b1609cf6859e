import { Command } from "../components/command";
import { portsState } from "../state/port-state";

/** Shown while no port listens: the commands that start and share a server. */
export function EmptyList() {
  const repo = portsState.value.repos[0];
  return (
    <section aria-labelledby="empty" class="rounded-box border border-line bg-paper p-4 sm:p-6">
      <h2 id="empty" class="text-title font-semibold">
        Nothing listens yet
      </h2>
      <p class="mt-1 text-soft">
        Start any dev server on this machine. It appears here by itself, private to you.
      </p>
      <ol class="mt-5 max-w-2xl space-y-4">
        <li>
          <p class="mb-1.5">To see one now, serve {repo ? "a repo's folder" : "a folder"}:</p>
          <Command text={`${repo ? `cd ${repo.path} && ` : ""}python3 -m http.server 8000`} />
        </li>
        <li>
          <p class="mb-1.5">Then share it for an hour, with a password that you are asked for:</p>
          <Command text="homeport share 8000 --password --expires 1h" />
        </li>
      </ol>
    </section>
  );
}
