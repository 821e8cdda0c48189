// Asks every three seconds, for ten minutes, whether the person has answered; without this the button does the same.
// What is `vivo` is shown in its place while it goes on, unless somebody is in it with the keyboard.
const wait = 3000;
const until = Date.now() + 600000;
const region = document.getElementById("estado");

function show(fresh) {
  if (!fresh.dataset.estado || !("vivo" in region.dataset)) return location.reload();
  if (!region.contains(document.activeElement)) region.replaceChildren(...fresh.childNodes);
  later();
}

function later() {
  if (Date.now() < until) setTimeout(look, wait);
}

async function look() {
  const answer = await fetch(region.dataset.estado, { credentials: "same-origin", redirect: "manual" }).catch(() => null);
  if (answer && !answer.ok) return;
  const fresh = answer && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("estado");
  if (fresh && fresh.textContent.trim() !== region.textContent.trim()) show(fresh);
  else if (fresh || !answer) later();
  else location.reload();
}

if (region && region.dataset.estado) later();
