/** The stages without data of real patients. Any other name counts as production. */
const WITHOUT_PATIENTS = new Set(['local', 'test', 'dev', 'staging'])

/** Code for synthetic or copied patients was started on a stage that may have real patients. */
export class StageRefused extends Error {
  override readonly name = 'StageRefused'
  constructor(nextStep: string) {
    super(`This runs only where PHI_STAGE is local, test, dev or staging. ${nextStep}`)
  }
}

const SET = 'If the deployment has no data of real patients, set PHI_STAGE to its stage.'
const UNSET = 'To start the local stack, run: unset PHI_STAGE'

/** Whether the stage is the stack of one machine. A missing stage is not local. */
export const isLocal = (stage: string | undefined): boolean => stage === 'local'

/** Whether a stage is known to have no data of real patients. */
export const isWithoutPatients = (stage: string | undefined): boolean => WITHOUT_PATIENTS.has(stage ?? '')

/**
 * Refuses every stage that may have data of real patients. A missing stage is refused too.
 *
 * @throws StageRefused
 */
export function refuseProduction({ PHI_STAGE: stage }: { readonly PHI_STAGE?: string | undefined }): void {
  if (!isWithoutPatients(stage)) throw new StageRefused(SET)
}

/**
 * Like `refuseProduction`, but accepts a missing stage. For code that sets its own stage, such as the local emulators.
 *
 * @throws StageRefused
 */
export function refuseProductionIfNamed({ PHI_STAGE: stage }: { readonly PHI_STAGE?: string | undefined }): void {
  if (stage !== undefined && !isWithoutPatients(stage)) throw new StageRefused(UNSET)
}
