import type { PatientId, RelationshipSource, TenantId } from '../../gateway/index.ts'

/** The clients of each practice, from the practices' own system. */
export interface PracticeRoster {
  /** Returns those of `clients` that belong to the practice. */
  among(tenant: TenantId, practice: string, clients: readonly PatientId[]): Promise<readonly PatientId[]>
  /** Returns up to `limit` clients of the practice, in the order of their ids as text, after the client `after`. */
  clients(tenant: TenantId, practice: string, after: PatientId | undefined, limit: number): Promise<readonly PatientId[]>
}

/** SAME_PRACTICE: the caller's organization is the client's practice. */
export function samePractice(roster: PracticeRoster): RelationshipSource {
  return {
    // called once for all clients of a batch; a client that is absent from the result has no relationship
    periods: async ({ tenant, organization }, clients) => {
      const found = organization === undefined ? [] : await roster.among(tenant, organization, clients)
      return new Map(found.map((client) => [client, [{}]]))
    },
    panel: async ({ tenant, organization }, after, limit) =>
      organization === undefined ? [] : await roster.clients(tenant, organization, after, limit),
  }
}
