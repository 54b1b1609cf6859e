/**
 * Short names for the schemas of the agent's API. `schema.ts` beside this file is generated from the agent's own
 * description (`bin/ui-types`), so no field is written down here. Times are ISO 8601, UTC; unknown is null.
 */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Port = Schemas["PortView"];
export type Program = Schemas["ProgramView"];
export type Repo = Schemas["RepoView"];
/** A repo with the state of its branch. */
export type RepoPage = Schemas["RepoPageView"];
export type BranchState = Schemas["BranchStateView"];
export type Share = Schemas["ShareView"];
export type ShareMode = Share["mode"];
export type ShareRequest = Schemas["OpenShareBody"] | Schemas["PasswordShareBody"];
export type AccessDecision = Schemas["Decision"];
export type AccessLogRow = Schemas["AccessView"];
export type AccessEvent = Schemas["AccessEventView"];

export type Status = Schemas["Status"];
export type EdgeStatus = Schemas["EdgeView"];
/** Sizes in bytes; `cpu_percent` is 0 to 100 over all cores together. */
export type SystemLoad = Schemas["SystemView"];
export type Caller = Schemas["WhoAmI"];
export type Token = Schemas["TokenView"];

export type Tunnel = Schemas["TunnelView"];
export type TunnelKind = Tunnel["kind"];
/** Rates in bytes a second; `in` is from visitors to the server. */
export type TunnelRates = Schemas["RatesView"];
export type TunnelLimits = Schemas["LimitsView"];
export type TrafficMinute = Schemas["TrafficMinute"];
export type ConnectionLogRow = Schemas["ConnectionLogRow"];
export type ConnectionEvent = Schemas["ConnectionEvent"];
export type Reservation = Schemas["ReservationView"];
export type ReservationRequest = Schemas["ReservationBody"];
/** An absent passcode keeps the one that is set, null removes it. */
export type RulesRequest = Schemas["RulesBody"];

export type Domain = Schemas["DomainView"];
export type DomainState = Domain["state"];
export type DnsRecord = Schemas["RecordView"];

export type Job = Schemas["JobView"];
export type ActivityEntry = Schemas["ActivityView"];
export type JobLine = Schemas["JobLineView"];
/** The editor: its state, and the address that opens a repo. */
export type Editor = Schemas["EditorView"];
export type Server = Schemas["ServerView"];
export type ServerState = Server["state"];
export type ServerRequest = Schemas["ServerRequest"];
export type StartRequest = Schemas["StartRequest"];
/** A line of a server's output; from `end` on follows the next. */
export type OutputLine = Schemas["OutputLineView"];
export type HostedRepo = Schemas["HostedRepoView"];
export type HostedPage = Schemas["HostedPageView"];
export type CloneRequest = Schemas["CloneBody"];

/** Settings that may be changed in the dashboard; of a secret, whether there is one. */
export type Preferences = Schemas["SettingsView"];
/** What is left out stays as it is, null gives a setting its default again. */
export type PreferencesChange = Schemas["SettingsBody"];
export type SshKey = Schemas["SshKeyView"];

export type EventMessage = Schemas["EventMessage"];
