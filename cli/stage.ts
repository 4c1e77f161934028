const STAGES = new Set(['local', 'test', 'dev', 'staging'])

/** A command that writes made-up or copied patients was asked to run where real ones are, or where nobody knows. */
export class StageRefused extends Error {
  override readonly name = 'StageRefused'
  constructor() {
    super('This command runs only where PHI_STAGE is local, test, dev or staging.')
  }
}

/**
 * Refuses every stage that is not known to be free of real patients, and so also one that is not named at all.
 *
 * @throws StageRefused
 */
export function refuseProduction(env: Readonly<Record<string, string | undefined>>): void {
  if (!STAGES.has(env['PHI_STAGE'] ?? '')) throw new StageRefused()
}
