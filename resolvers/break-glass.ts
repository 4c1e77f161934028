import { breakGlassGrants, type BreakGlassSource, type Services } from '../gateway/index.ts'

/** The clinic's break-glass grants. A patient exists if the index of the patient's records does. */
export function clinicBreakGlass({
  breakGlass,
  breakGlassMinutes,
  keyring,
  events,
  now,
  records,
}: Pick<Services, 'breakGlass' | 'breakGlassMinutes' | 'keyring' | 'events' | 'now' | 'records'>): BreakGlassSource {
  return breakGlassGrants({
    table: breakGlass,
    keyring,
    events,
    now,
    maxMinutes: breakGlassMinutes,
    exists: async (tenant, patient, { signal }) => (await records.indexRoot(tenant, patient, signal)) !== undefined,
  })
}
