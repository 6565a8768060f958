/** The server's pages: sign-in, then the page that was opened. */

import { Refusal, signIn, whenSignInIsNeeded } from "./api";
import { jobsTable } from "./jobs";
import { element, tell } from "./page";
import { startForm } from "./start";
import { watchJob } from "./watch";

const TOKEN = "#token=";

function askForToken(): void {
  element("app").hidden = true;
  element("sign-in").hidden = false;
  element("token").focus();
}

/** What a part of the URL stands for; itself, if it is not percent-encoded as it should be. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function enter(token: string): Promise<boolean> {
  try {
    await signIn(token);
    return true;
  } catch (error) {
    if (error instanceof Refusal) {
      askForToken();
      tell("sign-in-problem", error);
    }
    return false;
  }
}

async function main(): Promise<void> {
  element("no-script").hidden = true;
  whenSignInIsNeeded(askForToken);
  element("sign-in-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await enter(element<HTMLInputElement>("token").value.trim())) location.reload();
  });
  if (location.hash.startsWith(TOKEN)) {
    const token = decoded(location.hash.slice(TOKEN.length));
    // It stays in no history, and in no link that is copied.
    history.replaceState(null, "", location.pathname);
    if (await enter(token)) location.reload();
    return;
  }
  const app = element("app");
  if (app.dataset["signedIn"] !== "yes") {
    askForToken();
    return;
  }
  app.hidden = false;
  const watched = document.getElementById("watch");
  if (watched !== null) watchJob(watched);
  else if (document.getElementById("start") !== null) {
    startForm();
    jobsTable();
  }
}

void main();
