// Talking to the server: JSON and forms in, JSON out, and every failure as words for a person.

/** What a request can fail with; `problem` is shown by showProblem. */
class ServerProblem extends Error {
  constructor(status, problem) {
    super(problem.error ?? problem.title);
    this.status = status;
    this.problem = problem;
  }
}

const STATUS_WORDS = { 401: "error.signIn", 404: "error.missing", 413: "error.large" };
let signedOut = () => {};

export const whenSignedOut = (listener) => (signedOut = listener);

function problemOf(status, body, wait) {
  const said = { error: body?.error, remedy: body?.remedy };
  if (status === 0) return { title: "error.unreachable", remedyKey: "error.unreachableRemedy" };
  if (status === 429 || status === 503)
    return { title: "error.busy", remedyKey: "error.busyRemedy", args: [Math.max(1, Math.ceil(Number(wait) || 5))] };
  return { title: STATUS_WORDS[status] ?? (status >= 500 ? "error.server" : "error.input"), ...said };
}

function refused(status, body, wait) {
  if (status === 401) signedOut();
  return new ServerProblem(status, problemOf(status, body, wait));
}

async function fetched(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error instanceof TypeError) throw refused(0); // no connection
    throw error;
  }
  if (response.ok) return response;
  const isJson = response.headers.get("content-type")?.includes("json");
  throw refused(response.status, isJson ? await response.json() : null, response.headers.get("retry-after"));
}

export const get = async (path) => (await fetched(path)).json();
export const remove = async (path) => (await fetched(path, { method: "DELETE" })).json();

const posted = (path, body) =>
  fetched(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const post = async (path, body) => (await posted(path, body)).json();

/** A request about a photo: `photo` = {file} is sent along, {key} is named; null: without a photo. */
async function postedAbout(path, photo, request) {
  if (!photo?.file) return posted(path, photo ? { ...request, key: photo.key } : request);
  const form = new FormData();
  form.append("photo", photo.file, photo.file.name || "photo");
  form.append("request", JSON.stringify(request));
  return fetched(`${path}/photo`, { method: "POST", body: form });
}

export const postAbout = async (path, photo, request) => (await postedAbout(path, photo, request)).json();
export const pictureAbout = async (path, photo, request) =>
  URL.createObjectURL(await (await postedAbout(path, photo, request)).blob());

/** Sends a form and tells `progress` the share that has gone out (0 to 1). fetch cannot tell, hence XMLHttpRequest. */
export function send(path, form, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(refused(0));
    request.onload = () =>
      request.status < 400
        ? resolve(request.response)
        : reject(refused(request.status, request.response, request.getResponseHeader("Retry-After")));
    request.send(form);
  });
}
