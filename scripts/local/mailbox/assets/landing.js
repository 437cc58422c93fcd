// What the pages behind the mails' links ask of the API, as a frontend would.
const { api } = document.currentScript.dataset;
const form = document.querySelector("form");
const result = document.querySelector("[role=status]");
const page = location.pathname;

// A token in the address bar would stay in the history, and be seen by whoever looks over a shoulder.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", page);

const actions = {
  "/verify-email": async ({ email, password }) => {
    const { accessToken } = await post("/v1/auth/sign-in", { email, password });
    await post("/v1/auth/verify-email", { token }, accessToken);
    return "The address is verified.";
  },
  "/reset-password": async ({ password, repetition }) => {
    if (password !== repetition) throw new Error("The two passwords are not the same.");
    await post("/v1/auth/reset-password", { token, password });
    return "The new password is set. Sign in with it.";
  },
  "/confirm-email-change": async ({ email, password }) => {
    const { accessToken } = await post("/v1/auth/sign-in", { email, password });
    const { status } = await post("/v1/auth/change-email/confirm", { token }, accessToken);
    return status === "changed"
      ? "The address is changed."
      : "Confirmed. The address changes once the link to the other address is confirmed, too.";
  },
  "/sign-in": async () => {
    const answer = await post("/v1/auth/email-sign-in/verify", { token });
    return answer.status === "mfa_required"
      ? "The link is good. The second factor is still to be given."
      : `Signed in as ${answer.user.email}.`;
  },
  "/invitation": async ({ name, password }) => {
    const { email, organizationName } = await post("/v1/invitations/lookup", { token });
    try {
      await post("/v1/auth/sign-up", { name, email, password, invitationToken: token });
    } catch (error) {
      if (error.code !== "email_taken") throw error;
      const { accessToken } = await post("/v1/auth/sign-in", { email, password });
      await post("/v1/invitations/accept", { token }, accessToken);
    }
    return `You are a member of ${organizationName}.`;
  },
  "/forgot-password": async ({ email }) => {
    await post("/v1/auth/forgot-password", { email });
    return "If there is an account with this address, a mail with a link is on its way.";
  },
};

async function post(path, body, accessToken) {
  const response = await fetch(api + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...(accessToken && { authorization: `Bearer ${accessToken}` }) },
    body: JSON.stringify(body),
  }).catch(() => {
    throw new Error(`${api} does not answer this page. Does the service run, and is this origin in CORS_ORIGINS?`);
  });
  const text = await response.text();
  const answer = text && /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : {};
  if (response.ok) return answer;
  const { title, detail, code, errors = [] } = answer;
  const lines = errors.map(({ path: where, message }) => [where, message].filter(Boolean).join(" "));
  const message = [detail ?? title ?? `The service answered ${response.status}.`, ...lines].join("\n");
  throw Object.assign(new Error(message), { code });
}

// Text only, since it may hold what strangers wrote.
function show(kind, text) {
  result.className = kind;
  result.textContent = text;
}

async function submit() {
  const button = form.querySelector("button");
  button.disabled = true;
  show("", "");
  try {
    show("success", await actions[page](Object.fromEntries(new FormData(form))));
    form.hidden = true;
  } catch (error) {
    show("failure", error.message);
  } finally {
    button.disabled = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void submit();
});

if (!token && page !== "/forgot-password") {
  form.hidden = true;
  show("failure", "There is no token in this address. Open the link in the mail (again).");
}
