/** The table of jobs: the newest first, those that match a search, more on demand. */

import { html } from "../dom";
import { grouped } from "../words";
import * as api from "./api";
import { element, stateLabel, tell, whileVisible } from "./page";
import { counted, duration, named, time } from "./words";

const PAGE = 50;
const REFRESH_SECONDS = 3;

export function jobsTable(): void {
  const search = element<HTMLInputElement>("search");
  const more = element<HTMLButtonElement>("more-jobs");
  let first: readonly api.Job[] = [];
  let older: readonly api.Job[] = [];
  let next: string | null | undefined;

  const show = (): void => {
    const known = new Set(first.map(({ job }) => job));
    const all = [...first, ...older.filter(({ job }) => !known.has(job))];
    const found = all.filter((job) => matches(job, search.value));
    showRows(found.map(row));
    element("jobs").hidden = !found.length;
    more.hidden = !next;
    const said = element("jobs-said");
    const words = !all.length
      ? "No jobs yet: choose a genome above."
      : search.value
        ? `${grouped(found.length)} of ${counted(all.length, "job")}${next ? " that are loaded" : ""}`
        : "";
    if (said.textContent !== words) said.textContent = words;
  };
  const refresh = async (): Promise<void> => {
    try {
      const page = await api.jobs(null, PAGE);
      first = page.jobs;
      if (next === undefined) next = page.next;
      tell("jobs-problem");
    } catch (error) {
      tell("jobs-problem", error);
    }
    show();
  };
  more.addEventListener("click", async () => {
    try {
      const page = await api.jobs(next ?? null, PAGE);
      older = [...older, ...page.jobs];
      next = page.next;
    } catch (error) {
      tell("jobs-problem", error);
    }
    show();
  });
  search.addEventListener("input", show);
  whileVisible(REFRESH_SECONDS, refresh);
}

/** Show rows in place of those that are there; the link that has the focus keeps it. */
function showRows(rows: readonly HTMLTableRowElement[]): void {
  const body = element("jobs").querySelector("tbody");
  if (body === null) return;
  const focused = body.contains(document.activeElement)
    ? document.activeElement?.getAttribute("href")
    : null;
  body.replaceChildren(...rows);
  if (focused) body.querySelector<HTMLElement>(`a[href="${focused}"]`)?.focus();
}

function matches(job: api.Job, sought: string): boolean {
  const text = `${job.bucket}/${job.key} ${job.state} ${job.job}`.toLowerCase();
  return sought
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function row(job: api.Job): HTMLTableRowElement {
  const { total, done, failed } = job.slices;
  const ended = job.finished === null ? Date.now() : Date.parse(job.finished);
  const seconds = Math.max(0, (ended - Date.parse(job.created)) / 1000);
  const isWaiting = job.state === "SUBMITTED";
  const slices = total === null ? grouped(done) : `${grouped(done)} of ${grouped(total)}`;
  const link = html("a", { href: `/watch/${job.job}` }, named(`${job.bucket}/${job.key}`));
  return html(
    "tr",
    {},
    html("td", {}, link),
    html("td", { class: "text" }, stateLabel(job.state)),
    html(
      "td",
      {},
      isWaiting || (total === null && !done)
        ? ""
        : failed
          ? `${slices}, ${grouped(failed)} failed`
          : slices,
    ),
    html("td", {}, time(job.created)),
    html("td", {}, isWaiting ? "" : duration(seconds)),
  );
}
