/** The start of a job: an object of a bucket, chosen or uploaded, and what is asked of it. */

import { button, html } from "../dom";
import * as api from "./api";
import { element, tell } from "./page";
import { upload } from "./upload";
import { bytes, shown } from "./words";

const MIB = 1024 * 1024;

export function startForm(): void {
  const genome = element<HTMLInputElement>("genome");
  const bucket = element<HTMLSelectElement>("bucket");
  const file = element<HTMLInputElement>("file");
  const drop = element("drop");

  const choose = (name: string, key: string): void => {
    genome.value = `${name}/${key}`;
    tell("genome-problem");
  };
  const stored = (key: string): void => {
    choose(bucket.value, key);
    void browse(bucket.value, key.slice(0, key.lastIndexOf("/") + 1), choose);
  };

  bucket.addEventListener("change", () => void browse(bucket.value, "", choose));
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    if (chosen) upload(chosen, bucket.value, stored);
    file.value = "";
  });
  for (const type of ["dragenter", "dragover"])
    drop.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  for (const type of ["dragleave", "drop"])
    drop.addEventListener(type, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const [dropped] = event.dataTransfer?.files ?? [];
    if (dropped) upload(dropped, bucket.value, stored);
  });
  element("start").addEventListener("submit", (event) => {
    event.preventDefault();
    void submit(genome.value.trim());
  });
  void listBuckets(bucket, choose);
}

async function listBuckets(
  select: HTMLSelectElement,
  choose: (bucket: string, key: string) => void,
): Promise<void> {
  try {
    const { buckets } = await api.buckets();
    select.replaceChildren(...buckets.map(({ name }) => html("option", { value: name }, name)));
    element("file-label").hidden = !buckets.length;
    if (buckets[0]) await browse(buckets[0].name, "", choose);
    else
      element("objects").replaceChildren(
        html("p", {}, "There is no bucket yet: make a folder in the server's root."),
      );
  } catch (error) {
    tell("genome-problem", error);
  }
}

/** List a folder of a bucket. */
async function browse(
  bucket: string,
  prefix: string,
  choose: (bucket: string, key: string) => void,
): Promise<void> {
  const places = element("places");
  const listing = element("objects");
  const go = (to: string): void => void browse(bucket, to, choose);
  const parts = prefix.split("/").filter(Boolean);
  places.replaceChildren(
    button(`${bucket}/`, "list the whole bucket", () => go("")),
    ...parts.map((part, index) =>
      button(`${shown(part)}/`, "list this folder", () =>
        go(`${parts.slice(0, index + 1).join("/")}/`),
      ),
    ),
  );
  const list = html("ul", { class: "objects" });
  const more = async (next: string | null): Promise<void> => {
    const found = await api.objects(bucket, prefix, next);
    for (const folder of found.folders)
      list.append(
        html(
          "li",
          {},
          button(shown(folder.slice(prefix.length)), "open", () => go(folder)),
        ),
      );
    for (const { key, size_bytes } of found.objects)
      list.append(
        html(
          "li",
          {},
          button(shown(key.slice(prefix.length)), "choose", () => choose(bucket, key)),
          html("span", { class: "quiet" }, bytes(size_bytes)),
        ),
      );
    if (found.next !== null) {
      const { next } = found;
      const item = html("li");
      item.append(
        button("More", "list more objects", () => {
          item.remove();
          void more(next).catch((error) => tell("genome-problem", error));
        }),
      );
      list.append(item);
    }
  };
  try {
    await more(null);
    listing.replaceChildren(list.childElementCount ? list : html("p", {}, "Nothing is here yet."));
  } catch (error) {
    tell("genome-problem", error);
  }
}

async function submit(genome: string): Promise<void> {
  const place = element<HTMLInputElement>("genome");
  tell("start-problem");
  tell("genome-problem");
  const slash = genome.indexOf("/");
  try {
    const asked = {
      bucket: slash < 0 ? genome : genome.slice(0, slash),
      key: slash < 0 ? "" : genome.slice(slash + 1),
      k: chosenK(),
      canonical:
        document.querySelector<HTMLInputElement>("[name=strand]:checked")?.value === "canonical",
      slice_bytes: Math.round(element<HTMLInputElement>("slice").valueAsNumber * MIB) || 0,
    };
    const { job } = await api.submit(asked);
    location.assign(`/watch/${job}`);
  } catch (error) {
    const isOfGenome =
      error instanceof api.Refusal && /object|allowed|Field/.test(error.problem.title);
    tell(isOfGenome || !genome ? "genome-problem" : "start-problem", error);
    place.focus();
  }
}

function chosenK(): number[] {
  const boxes = document.querySelectorAll<HTMLInputElement>("[name=k]:checked");
  return [...boxes].map((box) => Number(box.value));
}
