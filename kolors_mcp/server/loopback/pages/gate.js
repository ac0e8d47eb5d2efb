// What the host page asks of a view: that it speaks from its own frame and address, and that a click comes before a start.

/** Where the sandbox is: another origin than this page's, as the specification asks of hosts that are web pages. */
export const SANDBOX = new URL(`http://localhost:${location.port}`).origin;

/** What shows the server that this page is the one it handed out. */
export const PROOF = { "kolors-page-token": document.querySelector("meta[name=kolors-page-token]").content };

/** Whether a message comes from the frame, and from the page that we put into it. */
export const isOwn = ({ source, origin }, frame) => source === frame.contentWindow && origin === SANDBOX;

/**
 * Whether this page's address, which any other page can write, may name a tool to be called when the page is opened: one
 * that only reads, and that a model could call too.
 */
export const mayBeNamed = (tool) => tool?.annotations?.readOnlyHint && (tool._meta?.ui?.visibility ?? ["model"]).includes("model");

/** Return the refusal of a view's call, as a tool would give it; nothing where the view may call `name` now. */
export function refusal(tools, name) {
  const tool = tools.find((each) => each.name === name);
  const refused = (text) => ({ isError: true, content: [{ type: "text", text }] });
  if (!(tool?._meta?.ui?.visibility?.includes("app") ?? tool)) return refused(`The view may not call ${name}.`);
  if (tool.annotations?.readOnlyHint) return undefined;
  // A click, or a key, in the view activates the page around it for some seconds; no script can.
  if (!navigator.userActivation?.isActive) return refused("This is done by a click only. Nothing was done. Click again.");
  return undefined;
}
