/** One job: its slices as they come along, then its results. */

import { html } from "../dom";
import { grouped } from "../words";
import * as api from "./api";
import { Cells, paint, parseStates, STATES, type SliceState } from "./cells";
import { element, stateLabel, tell } from "./page";
import { bytes, counted, duration, named, shown, time } from "./words";

/** What an event of the stream holds. */
interface View {
  readonly stage: "queued" | "inflating" | "scanning" | "folding" | "ended";
  readonly total: number | null;
  readonly states: string | null;
  readonly changes: readonly (readonly [number, SliceState])[];
  readonly done_bytes: number;
  readonly size_bytes: number;
  readonly job: api.Job;
}

const SPOKEN_SECONDS = 10;
const AGAIN_SECONDS = 5;
const ENDED: ReadonlySet<string> = new Set(["SUCCEEDED", "FAILED", "CANCELLED"]);

export function watchJob(root: HTMLElement): void {
  const name = root.dataset["job"] ?? "";
  const cells = new Cells(element<HTMLCanvasElement>("cells"));
  let shownJob: api.Job | null = null;
  let spoken = 0;

  const showJob = (job: api.Job): void => {
    const was = shownJob?.state;
    shownJob = job;
    showHead(job);
    const isOver = ENDED.has(job.state);
    if (isOver && was !== job.state) {
      cancelling(false);
      element("said").textContent = `The job ${ending(job)}.`;
      if (job.state === "SUCCEEDED")
        void showResults(job).catch((error) => tell("watch-problem", error));
    }
  };
  const showView = (view: View): void => {
    if (view.states !== null) cells.reset(parseStates(view.states), view.total);
    else cells.change(view.changes, view.total);
    showJob(view.job);
    showProgress(view, cells);
    const now = Date.now();
    if (now - spoken > SPOKEN_SECONDS * 1000 && view.job.state === "RUNNING") {
      spoken = now;
      element("said").textContent = element("fan-count").textContent;
    }
  };
  const cancelling = (isAsked: boolean): void => {
    element("keep").hidden = !isAsked;
    element("cancel").textContent = isAsked ? "Yes, cancel it" : "Cancel";
    element("cancel").dataset["asked"] = isAsked ? "yes" : "";
  };
  element("cancel").addEventListener("click", async () => {
    if (!element("cancel").dataset["asked"]) {
      cancelling(true);
      return;
    }
    try {
      showJob(await api.cancel(name));
    } catch (error) {
      tell("watch-problem", error);
    }
    cancelling(false);
  });
  element("keep").addEventListener("click", () => {
    cancelling(false);
    element("cancel").focus();
  });
  element("again").addEventListener("click", async () => {
    if (shownJob?.asked == null) return;
    try {
      const { job } = await api.submit(shownJob.asked);
      location.assign(`/watch/${job}`);
      if (job === name) location.reload();
    } catch (error) {
      tell("watch-problem", error);
    }
  });
  element("cells").addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const found = cells.at(offsetX, offsetY);
    const state = STATES.find(([letter]) => letter === found?.[1])?.[1];
    element("at-cell").textContent = found ? `slice ${grouped(found[0])}: ${state}` : "";
  });
  legend();
  logs(name);
  follow(name, showView, showJob);
}

/** Follow a job's stream of events while the page can be seen, until the job has ended. */
function follow(
  name: string,
  showView: (view: View) => void,
  showJob: (job: api.Job) => void,
): void {
  let stream: EventSource | null = null;
  let isOver = false;
  const close = (): void => {
    stream?.close();
    stream = null;
  };
  const open = (): void => {
    if (isOver || document.hidden || stream !== null) return;
    const opened = new EventSource(`${api.path("jobs", name)}/events`);
    stream = opened;
    const hear = (event: MessageEvent<string>): void => showView(JSON.parse(event.data) as View);
    opened.addEventListener("snapshot", hear);
    opened.addEventListener("change", hear);
    opened.addEventListener("end", (event) => {
      isOver = true;
      close();
      showJob(JSON.parse((event as MessageEvent<string>).data) as api.Job);
    });
    opened.addEventListener("open", () => tell("watch-problem"));
    // The browser comes back by itself, unless the answer was a refusal: then ask why.
    opened.addEventListener("error", () => {
      if (opened.readyState !== EventSource.CLOSED) {
        tell("watch-problem", api.UNREACHABLE);
        return;
      }
      close();
      const show = (job: api.Job): void => {
        isOver = ENDED.has(job.state);
        showJob(job);
      };
      api
        .job(name)
        .then(show, (error: unknown) => tell("watch-problem", error))
        .finally(() => window.setTimeout(open, AGAIN_SECONDS * 1000));
    });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  open();
}

function ending(job: api.Job): string {
  if (job.state === "SUCCEEDED") return "has its report";
  return job.state === "FAILED" ? "failed" : "was cancelled";
}

function showHead(job: api.Job): void {
  const base = job.key.slice(job.key.lastIndexOf("/") + 1);
  document.title = `${shown(base)}: ${job.state.toLowerCase()} \u00b7 fanfold`;
  element("name").textContent = shown(base);
  element("state").replaceChildren(stateLabel(job.state));
  const k = job.k.length ? `k = ${job.k.join(", ")}` : "no k-mers";
  const strand = job.asked?.canonical ? "canonical" : "given strand";
  const facts = [
    bytes(job.bytes),
    job.k.length ? `${k}, ${strand}` : k,
    `since ${time(job.created)}`,
  ];
  if (job.attempt > 1) facts.push(`attempt ${grouped(job.attempt)}`);
  element("asked").replaceChildren(
    named(`${job.bucket}/${job.key}`),
    ` \u00b7 ${facts.join(" \u00b7 ")}`,
  );
  element("cancel").hidden = ENDED.has(job.state);
  element("again").hidden = job.state !== "FAILED" && job.state !== "CANCELLED";
  element("open-report").hidden = job.state !== "SUCCEEDED";
  if (job.error !== null) showError(job.error);
  else tell("job-error");
}

function showError(problem: api.Problem): void {
  const place = element("job-error");
  place.replaceChildren(
    html("strong", {}, shown(problem.title)),
    " ",
    html("span", {}, shown(problem.detail)),
  );
  const failed = problem.slices ?? [];
  if (!failed.length) return;
  const items = failed
    .slice(0, 20)
    .map(({ index, reason }) => html("li", {}, `slice ${grouped(index)}: ${shown(reason)}`));
  place.append(html("ul", {}, ...items));
  if (failed.length > items.length)
    place.append(html("p", {}, `and ${counted(failed.length - items.length, "more slice")}`));
}

function showProgress(view: View, cells: Cells): void {
  const { job, stage } = view;
  const total = view.total ?? null;
  const done = cells.count("d");
  const isUnderWay = !ENDED.has(job.state);
  element("fan").hidden = !cells.total;
  element("progress-numbers").hidden = !isUnderWay;
  element("bar").hidden = !isUnderWay;
  const of = total === null ? "" : ` of ${grouped(total)}`;
  element("n-slices").textContent = `${grouped(done)}${of}`;
  element("n-bytes").textContent = `${bytes(view.done_bytes)} of ${bytes(view.size_bytes)}`;
  const rate = job.rate_bytes_per_second;
  element("n-rate").textContent = rate === null ? "\u2013" : `${bytes(rate)}/s`;
  element("n-left").textContent = job.seconds_left === null ? "\u2013" : duration(job.seconds_left);
  const percent = Math.min(100, Math.floor((100 * view.done_bytes) / (view.size_bytes || 1)));
  element("bar").setAttribute("aria-valuenow", String(percent));
  const inner = element("bar").firstElementChild as HTMLElement;
  inner.style.width = `${percent}%`;
  const counts = STATES.map(([state, word]) => [cells.count(state), word] as const)
    .filter(([count]) => count)
    .map(([count, word]) => `${grouped(count)} ${word}`);
  element("fan-count").textContent = `${counted(cells.total, "slice")}: ${counts.join(", ")}.`;
  const fold = element("fold");
  fold.className = `fold-box ${job.state === "SUCCEEDED" ? "done" : stage}`;
  fold.textContent = foldWords(job, stage);
}

function foldWords(job: api.Job, stage: View["stage"]): string {
  if (job.state === "SUCCEEDED") return "Fan-in: all slices are folded into one report";
  if (stage === "folding") return "Fan-in: the slices are folded into one report\u2026";
  return ENDED.has(job.state) ? "Fan-in: there is no report" : "Fan-in: waits for all slices";
}

interface Master {
  readonly total_bases: number;
  readonly gc_percent: number | null;
  readonly composition: { readonly N: number };
  readonly gaps: { readonly count: number };
  readonly sequences: {
    readonly count: number;
    readonly length: number;
    readonly N50: number | null;
    readonly L50: number | null;
    readonly longest: number | null;
  };
}

interface RunRecord {
  readonly record: {
    readonly files: Readonly<Record<string, { readonly size_bytes: number }>>;
    readonly renderings: Readonly<Record<string, { readonly size_bytes: number }>>;
  };
}

async function showResults(job: api.Job): Promise<void> {
  const [master, run] = await Promise.all([
    api.resultFile<Master>(job.job, "master.json"),
    api.resultFile<RunRecord>(job.job, "run.json"),
  ]);
  const { sequences } = master;
  const or = (value: number | null, words: (value: number) => string): string =>
    value === null ? "\u2013" : words(value);
  const numbers: readonly (readonly [string, string, string])[] = [
    ["Total length", grouped(sequences.length), "bases"],
    ["Sequences", grouped(sequences.count), ""],
    ["N50", or(sequences.N50, grouped), or(sequences.L50, (count) => `L50 ${grouped(count)}`)],
    ["Longest", or(sequences.longest, grouped), "bases"],
    ["GC", or(master.gc_percent, (percent) => `${percent} %`), ""],
    ["N", grouped(master.composition.N), counted(master.gaps.count, "gap")],
  ];
  element("numbers").replaceChildren(
    ...numbers.map(([term, value, more]) =>
      html("div", {}, html("dt", {}, term), html("dd", {}, value, html("small", {}, more))),
    ),
  );
  const files = Object.entries({ ...run.record.files, ...run.record.renderings });
  files.sort(([one], [other]) => (one < other ? -1 : 1));
  const rows = files.map(([file, { size_bytes }]) => {
    const link = html("a", { href: api.path("jobs", job.job, file) }, named(file));
    return html("tr", {}, html("td", {}, link), html("td", {}, bytes(size_bytes)));
  });
  element("files")
    .querySelector("tbody")
    ?.replaceChildren(...rows);
  element("results").hidden = false;
}

function legend(): void {
  const list = element("legend");
  for (const [state, word] of STATES) {
    const sample = html("canvas", {
      width: 28,
      height: 28,
      class: "sample",
      "aria-hidden": "true",
    });
    list.append(html("li", {}, sample, word));
    const context = sample.getContext("2d");
    const colour = getComputedStyle(element("cells")).getPropertyValue(`--${state}`);
    if (context) paint(context, state, colour, 1, 1, 26);
  }
}

function logs(name: string): void {
  const read = async (): Promise<void> => {
    try {
      const { lines } = await api.logs(name);
      const text = lines.map((line) => `${time(line.time)}  ${shown(line.text)}`).join("\n");
      element("log").textContent = text;
      element("log").hidden = !text;
      element("logs-said").textContent = text ? counted(lines.length, "line") : "The log is empty.";
    } catch (error) {
      tell("watch-problem", error);
    }
  };
  element("logs").addEventListener("toggle", () => {
    if (element<HTMLDetailsElement>("logs").open) void read();
  });
  element("logs-again").addEventListener("click", () => void read());
}
