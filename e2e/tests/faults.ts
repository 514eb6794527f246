// What a browser complains about while a person sees nothing of it.

import type { BrowserContext } from "@playwright/test";

/** A request that is refused shows in the console, too. What the person sees of it is for the journey to check. */
const refused = /^Failed to load resource: the server responded with a status of 4\d\d /;

/** Console errors, uncaught exceptions and violations of the content security policy, on all pages of a context. */
export async function collectFaults(context: BrowserContext): Promise<string[]> {
  const faults: string[] = [];
  context.on("console", (message) => {
    if (message.type() === "error" && !refused.test(message.text())) faults.push(`console: ${message.text()}`);
  });
  context.on("weberror", (error) => faults.push(`exception: ${error.error()}`));
  await context.exposeFunction("reportViolation", (violation: string) => faults.push(`policy: ${violation}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      const { reportViolation } = window as unknown as { reportViolation: (violation: string) => void };
      reportViolation(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  return faults;
}
