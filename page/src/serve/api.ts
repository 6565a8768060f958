/** The calls of the API, as this server answers them. */

export type State = "SUBMITTED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLED";

export interface Asked {
  readonly bucket: string;
  readonly key: string;
  readonly k: readonly number[];
  readonly canonical: boolean;
  readonly slice_bytes: number;
  readonly chunks: string;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly slices?: readonly { readonly index: number; readonly reason: string }[];
}

export interface Job {
  readonly job: string;
  readonly state: State;
  readonly slices: {
    readonly total: number | null;
    readonly done: number;
    readonly failed: number;
  };
  readonly bytes: number;
  readonly created: string;
  readonly finished: string | null;
  readonly error: Problem | null;
  readonly bucket: string;
  readonly key: string;
  readonly k: readonly number[];
  readonly attempt: number;
  readonly rate_bytes_per_second: number | null;
  readonly seconds_left: number | null;
  readonly asked: Asked | null;
}

export interface Jobs {
  readonly jobs: readonly Job[];
  readonly next: string | null;
}

export interface StoredObject {
  readonly key: string;
  readonly size_bytes: number;
}

export interface Objects {
  readonly folders: readonly string[];
  readonly objects: readonly StoredObject[];
  readonly next: string | null;
}

export interface Logs {
  readonly lines: readonly { readonly time: string; readonly text: string }[];
}

/** A request that was refused, or that nobody answered. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.detail);
  }
}

/** Hears of a request that needs the token. */
let onSignInNeeded = (): void => undefined;

export function whenSignInIsNeeded(hear: () => void): void {
  onSignInNeeded = hear;
}

/** The refusal that an answer is; of one that is no problem document, by its status. */
export function refusalOf(status: number, body: string): Refusal {
  if (status === 401) onSignInNeeded();
  try {
    const problem = JSON.parse(body) as Problem;
    if (typeof problem.title === "string" && typeof problem.detail === "string")
      return new Refusal(status, problem);
  } catch {
    // No JSON: something between here and the server has answered.
  }
  const detail = "Something else than the server answered; reload the page, or look at its log.";
  return new Refusal(status, { type: "", title: `The answer was ${status}`, detail });
}

export const UNREACHABLE = new Refusal(0, {
  type: "",
  title: "The server does not answer",
  detail: "Is `fanfold serve` still running? The page tries again when you do.",
});

async function ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(path, init);
    text = await answer.text();
  } catch {
    throw UNREACHABLE;
  }
  if (!answer.ok) throw refusalOf(answer.status, text);
  return (text ? JSON.parse(text) : null) as Answer;
}

/** A path of the API, each part percent-encoded; slashes within a key stay. */
export function path(...parts: readonly string[]): string {
  return parts.map((part) => `/${part.split("/").map(encodeURIComponent).join("/")}`).join("");
}

export const submit = (asked: Partial<Asked>): Promise<{ readonly job: string }> =>
  ask("POST", "/chunk", asked);
export const job = (name: string): Promise<Job> => ask("GET", path("jobs", name));
export const cancel = (name: string): Promise<Job> => ask("DELETE", path("jobs", name));
export const logs = (name: string): Promise<Logs> => ask("GET", `${path("jobs", name)}/logs`);
export const signIn = (token: string): Promise<null> => ask("POST", "/session", { token });
export const buckets = (): Promise<{ readonly buckets: readonly { readonly name: string }[] }> =>
  ask("GET", "/buckets");
export const jobs = (next: string | null, limit: number): Promise<Jobs> =>
  ask("GET", `/jobs?limit=${limit}${next ? `&next=${encodeURIComponent(next)}` : ""}`);
export const objects = (bucket: string, prefix: string, next: string | null): Promise<Objects> => {
  const more = next ? `&next=${encodeURIComponent(next)}` : "";
  return ask("GET", `${path("buckets", bucket)}?prefix=${encodeURIComponent(prefix)}${more}`);
};
export const resultFile = <Document>(name: string, file: string): Promise<Document> =>
  ask("GET", path("jobs", name, file));
