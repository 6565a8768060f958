/** Uploads: a bar while they go, and a question where there is an object already. */

import { button, html } from "../dom";
import { path, Refusal, refusalOf, UNREACHABLE } from "./api";
import { element, tell } from "./page";
import { bytes, named, shown } from "./words";

const FOLDER = "input/";

let isUnderWay = false;

/** Upload a file into a bucket's folder for inputs, then tell its key. */
export function upload(file: File, bucket: string, done: (key: string) => void): void {
  if (isUnderWay) {
    element("upload-said").textContent = "One file at a time: wait for the upload, or cancel it.";
    return;
  }
  send(file, bucket, false, done);
}

function send(file: File, bucket: string, replace: boolean, done: (key: string) => void): void {
  const key = FOLDER + file.name;
  const box = element("upload");
  const bar = html("progress", { max: file.size || 1, "aria-label": `Upload of ${file.name}` });
  bar.value = 0;
  const amount = html("span", { class: "quiet" });
  const request = new XMLHttpRequest();
  const stop = button("Cancel", "stop the upload", () => request.abort());
  box.replaceChildren(named(file.name), bar, amount, stop);
  box.hidden = false;
  tell("genome-problem");
  isUnderWay = true;
  request.addEventListener("loadend", () => {
    isUnderWay = false;
  });
  const end = (said: string): void => {
    box.hidden = true;
    element("upload-said").textContent = said;
  };
  request.upload.addEventListener("progress", ({ loaded }) => {
    bar.value = loaded;
    amount.textContent = `${bytes(loaded)} of ${bytes(file.size)}`;
  });
  request.addEventListener("abort", () => end("The upload was stopped; nothing is stored."));
  request.addEventListener("error", () => {
    end("The upload failed.");
    tell("genome-problem", UNREACHABLE);
  });
  request.addEventListener("load", () => {
    if (request.status === 200) {
      end(`${shown(file.name)} is stored.`);
      done(key);
      return;
    }
    const refusal = refusalOf(request.status, request.responseText);
    if (request.status === 409 && !replace && refusal.problem.type.endsWith("object-exists"))
      askToReplace(file, bucket, refusal, done);
    else {
      end("The upload was refused.");
      tell("genome-problem", refusal);
    }
  });
  request.open("PUT", path("buckets", bucket, key) + (replace ? "?replace=true" : ""));
  request.send(file);
}

function askToReplace(
  file: File,
  bucket: string,
  refusal: Refusal,
  done: (key: string) => void,
): void {
  const box = element("upload");
  const leave = (): void => {
    box.hidden = true;
  };
  const yes = button("Replace it", "store the file in place of the object", () =>
    send(file, bucket, true, done),
  );
  box.replaceChildren(
    html("strong", {}, shown(refusal.problem.title)),
    named(FOLDER + file.name),
    yes,
    button("Keep it", "leave the object as it is", leave),
    button("Use it", "take the object that is there", () => {
      leave();
      done(FOLDER + file.name);
    }),
  );
  yes.focus();
}
