import type { PatientId, RelationshipSource, TenantId } from '../../gateway/index.ts'

/** Which client goes to which practice, as the practices' own system knows it. */
export interface PracticeRoster {
  /** Those of the clients who go to the practice. */
  among(tenant: TenantId, practice: string, clients: readonly PatientId[]): Promise<readonly PatientId[]>
  /** Up to `limit` clients of the practice in the order of their ids as text, after the one given. */
  clients(tenant: TenantId, practice: string, after: PatientId | undefined, limit: number): Promise<readonly PatientId[]>
}

/** SAME_PRACTICE: the caller's organization is the practice that the client goes to. */
export function samePractice(roster: PracticeRoster): RelationshipSource {
  return {
    // asked once for all clients of a batch; one who is left out stands in no relationship
    periods: async ({ tenant, organization }, clients) => {
      const standing = organization === undefined ? [] : await roster.among(tenant, organization, clients)
      return new Map(standing.map((client) => [client, [{}]]))
    },
    panel: async ({ tenant, organization }, after, limit) =>
      organization === undefined ? [] : await roster.clients(tenant, organization, after, limit),
  }
}
