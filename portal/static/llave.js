// Asks the browser for the passkey a form is about, and sends the form with what it answered.
const form = document.querySelector("form[data-llave]");
const warning = document.getElementById("sin-llave");

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

function read(options) {
  const read = { ...options, challenge: bytes(options.challenge) };
  if (options.user) read.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) read.excludeCredentials = named(options.excludeCredentials);
  if (options.allowCredentials) read.allowCredentials = named(options.allowCredentials);
  return read;
}

function written(credential) {
  const said = credential.response;
  const response = { clientDataJSON: text(said.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) if (said[part]) response[part] = text(said[part]);
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
}

async function ask(event) {
  event.preventDefault();
  warning.hidden = true;
  const publicKey = read(JSON.parse(form.dataset.opciones));
  try {
    const credential = form.dataset.llave === "nueva" ? await navigator.credentials.create({ publicKey }) : await navigator.credentials.get({ publicKey });
    form.elements.respuesta.value = written(credential);
  } catch {
    warning.hidden = false;
    warning.focus();
    return;
  }
  form.submit();
}

if (form && window.PublicKeyCredential) {
  form.hidden = false;
  document.getElementById("sin-programa").hidden = true;
  form.addEventListener("submit", ask);
}
