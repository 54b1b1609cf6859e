import { useEffect, useState } from "preact/hooks";
import type { Repo } from "../api/types";
import { Block } from "../components/block";
import { ProblemBox } from "../components/problem-box";
import { serversOf } from "../model/servers";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { disconnection } from "../state/agent";
import { readServers, servers } from "../state/servers";
import { ServerRow } from "./server-row";

/** The servers of a repo on its page, after a look at its files. */
export function RepoServers({ repo }: { repo: Repo }) {
  const [composeFiles, setComposeFiles] = useState<readonly string[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const connected = disconnection.value === null;
  useEffect(() => {
    if (connected) void attempt(async () => setComposeFiles(await readServers(repo.id)), setProblem);
  }, [repo.id, connected]);
  const all = serversOf(servers.value, repo.id);
  return (
    <Block id="servers" title="Servers" padded={all.length === 0}>
      {all.length > 0 && (
        <ul>
          {all.map((server) => (
            <ServerRow key={server.id} server={server} />
          ))}
        </ul>
      )}
      {all.length === 0 && composeFiles === null && !problem && (
        <p class="text-soft">Looking for start commands …</p>
      )}
      {all.length === 0 && composeFiles !== null && (
        <p class="text-soft">
          No start command was found: no package.json with a script dev or start, no Procfile, nothing else
          that is known. What is started here by hand is listed below.
        </p>
      )}
      {composeFiles !== null && composeFiles.length > 0 && (
        <p class={`text-small text-soft [overflow-wrap:anywhere] ${all.length > 0 ? "px-4 py-1.5" : "mt-2"}`}>
          There {composeFiles.length === 1 ? "is a compose file" : "are compose files"}:{" "}
          <span class="font-mono">{composeFiles.join(", ")}</span>. Containers are not started here.
        </p>
      )}
      {problem && <ProblemBox problem={problem} />}
    </Block>
  );
}
