/** Where nobody's real data are. Whatever is called otherwise counts as production. */
const WITHOUT_PATIENTS = new Set(['local', 'test', 'dev', 'staging'])

/** What handles made-up or copied patients was asked to run where real ones are, or where nobody knows. */
export class StageRefused extends Error {
  override readonly name = 'StageRefused'
  constructor() {
    super('This runs only where PHI_STAGE is local, test, dev or staging.')
  }
}

/** Whether a stage is known to be free of real patients. */
export const isWithoutPatients = (stage: string | undefined): boolean => WITHOUT_PATIENTS.has(stage ?? '')

/**
 * Refuses every stage that is not known to be free of real patients, and so also one that is not named at all.
 *
 * @throws StageRefused
 */
export function refuseProduction({ PHI_STAGE: stage }: { readonly PHI_STAGE?: string | undefined }): void {
  if (!isWithoutPatients(stage)) throw new StageRefused()
}

/**
 * For what brings a stage of its own, as the stand-ins of one machine do: refuses a process that was told to be another one.
 *
 * @throws StageRefused
 */
export function refuseProductionIfNamed({ PHI_STAGE: stage }: { readonly PHI_STAGE?: string | undefined }): void {
  if (stage !== undefined && !isWithoutPatients(stage)) throw new StageRefused()
}
