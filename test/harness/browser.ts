import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** The browser of Debian's package. Playwright downloads none. */
const CHROMIUM = '/usr/bin/chromium'

/** No part of the browser connects to a service of its vendor. Without a user namespace, as in most containers, the sandbox cannot start. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/** No browser is installed on this machine. */
class NoBrowser extends Error {
  override readonly name = 'NoBrowser'
  constructor() {
    super(`The test needs Chromium at ${CHROMIUM}. On Debian, run: apt-get install -y --no-install-recommends chromium`)
  }
}

/**
 * Starts headless Chromium with a profile of its own. The caller closes it.
 *
 * @throws NoBrowser
 */
export async function startBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new NoBrowser()
  return await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGUMENTS })
}
