import type { Port, Repo, Share } from "../src/model/types";
import { NO_SHARE, unlisted, worldOf } from "../src/model/world";

const ORIGIN = "http://{port}.localhost:8080";

export const port = (number: number, part: Partial<Port> = {}): Port => ({
  ...unlisted(worldOf([], [], ORIGIN), number),
  listening: true,
  pid: 100 + number,
  title: "vite",
  ...part,
});

export const share = (part: Partial<Share>): Share => ({
  ...NO_SHARE,
  mode: "password",
  generation: 1,
  ...part,
});

export const repo = (name: string, part: Partial<Repo> = {}): Repo => ({
  id: name,
  name,
  path: `/srv/homeport/repos/${name}`,
  branch: "main",
  dirty: false,
  remote: null,
  ports: [],
  ...part,
});

export const world = (ports: Port[], repos: Repo[] = []) => worldOf(ports, repos, ORIGIN);
