import type { Port, Repo, Share, Tunnel } from "../src/api/types";
import { portsStateOf, privateShare, unlistedPort } from "../src/model/ports";

const ORIGIN = "http://{port}.localhost:8080";

export const port = (number: number, part: Partial<Port> = {}): Port => ({
  ...unlistedPort(portsStateOf([], [], ORIGIN), number),
  listening: true,
  pid: 100 + number,
  title: "vite",
  ...part,
});

export const share = (part: Partial<Share>): Share => ({
  ...privateShare(3000, ORIGIN.replace("{port}", "3000")),
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
  owner: "ada",
  foreign: false,
  handover: null,
  ports: [],
  ...part,
});

export const portsState = (ports: Port[], repos: Repo[] = []) => portsStateOf(ports, repos, ORIGIN);

export const tunnel = (name: string, part: Partial<Tunnel> = {}): Tunnel => ({
  id: name,
  kind: "http",
  name,
  port: null,
  address: `https://${name}.tunnel.example.com`,
  client: "laptop",
  state: "live",
  since: "2026-11-21T12:00:00Z",
  last_byte_at: null,
  connections: 0,
  bytes_in: 0,
  bytes_out: 0,
  rate_in: 0,
  rate_out: 0,
  requests: 0,
  refused: 0,
  dropped: 0,
  allow: [],
  limits: { bytes_per_second: null, connections: null },
  passcode: false,
  proxy_protocol: null,
  subdomains: false,
  reserved: false,
  links: 2,
  round_trip_ms: 12.5,
  ...part,
});
