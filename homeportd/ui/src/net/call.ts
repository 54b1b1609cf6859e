/** Requests to the agent's API, typed by its description, each with a time limit, and its errors in one shape. */

import type { paths } from "../api/schema";
import { toSentence } from "../model/sentence";
import { Problem } from "./problem";

const TIMEOUT_MS = 15_000;
const SHOWN_CAUSE = 2_000; // characters of an error's body

type Path = keyof paths;
type Method = "get" | "post" | "put" | "delete";
type Operation<P extends Path, M extends Method> = NonNullable<paths[P][M]>;

type BodyOf<Content> = Content extends { content: { "application/json": infer Body } } ? Body : undefined;
type AnswerOf<O> = O extends { responses: infer R } ? BodyOf<R[keyof R]> : never;
type RequestOf<O> = (O extends { parameters: { path: infer Parameters } } ? { path: Parameters } : unknown) &
  (O extends { parameters: { query?: infer Parameters } } ? { query?: Parameters } : unknown) &
  (O extends { requestBody: infer Content }
    ? { body: BodyOf<Content> }
    : O extends { requestBody?: infer Content }
      ? { body?: BodyOf<NonNullable<Content>> }
      : unknown);

interface AnyRequest {
  path?: Record<string, string | number>;
  query?: Record<string, string | number | boolean | null | undefined>;
  body?: unknown;
}

/** Sends one request; returns the answer's JSON, undefined where there is none. Throws Problem. */
export async function call<P extends Path, M extends Method>(
  method: M,
  path: P,
  ...request: Record<never, never> extends RequestOf<Operation<P, M>>
    ? [request?: RequestOf<Operation<P, M>>]
    : [request: RequestOf<Operation<P, M>>]
): Promise<AnswerOf<Operation<P, M>>> {
  const { body, ...address } = (request[0] ?? {}) as AnyRequest;
  const sent = `${method.toUpperCase()} ${addressOf(path, address)}`;
  let response: Response;
  try {
    response = await fetch(addressOf(path, address), {
      method: method.toUpperCase(),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch (error) {
    throw new Problem(
      0,
      "Homeport did not answer",
      "The machine is off, asleep or out of reach. Nothing was changed.",
      "Try again. On the machine itself, `homeport doctor` says which part is down.",
      `${sent}: ${error}`,
    );
  }
  if (!response.ok) throw await problemOf(response, sent);
  return (response.status === 204 ? undefined : await response.json()) as AnswerOf<Operation<P, M>>;
}

/** The pattern of a path with its parameters filled in. */
function addressOf(pattern: string, { path = {}, query = {} }: AnyRequest): string {
  const filled = pattern.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(path[name])));
  const given = Object.entries(query).flatMap(([name, value]) =>
    value == null ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? filled : `${filled}?${new URLSearchParams(given)}`;
}

async function problemOf(response: Response, sent: string): Promise<Problem> {
  const text = await response.text();
  const cause = `${sent}: ${response.status} ${response.statusText}\n${text.slice(0, SHOWN_CAUSE)}`;
  try {
    const { detail, fix } = JSON.parse(text) as Record<string, unknown>;
    const sentence = (value: unknown) => (typeof value === "string" ? toSentence(value) : "");
    // The title is HTTP's word for the status, which says nothing to a person; it is in the cause.
    return new Problem(response.status, sentence(detail) || "That did not work.", "", sentence(fix), cause);
  } catch {
    // Not from the agent: the proxy in front answers for an agent that is down.
    return new Problem(
      response.status,
      "Homeport is not answering properly",
      "The proxy in front answers but the agent behind it does not. Shared ports are closed meanwhile.",
      "Wait a moment and try again. On the machine, `homeport doctor` says what is wrong.",
      cause,
    );
  }
}
