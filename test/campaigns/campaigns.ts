/** A test or a script that repeats one experiment. A variable sets how often. */
interface Campaign {
  /** Selects it: `npm run campaign -- NAME`. */
  readonly name: string
  /** A test file for Vitest, or a script for Node, from the root of the project. */
  readonly path: string
  /** The full size. `npm test` and `.ci/run` use smaller ones. */
  readonly size?: { readonly variable: string; readonly full: string }
}

/** Every campaign of the project. A test compares the variables with those that the tests read. */
export const CAMPAIGNS: readonly Campaign[] = [
  {
    name: 'kills',
    path: 'test/gateway/audit/notary/kills.integration.test.ts',
    size: { variable: 'PHI_NOTARY_RUNS', full: '300' },
  },
  {
    name: 'lanes',
    path: 'test/gateway/audit/notary/faults.integration.test.ts',
    size: { variable: 'PHI_NOTARY_LANES', full: '10000' },
  },
  {
    name: 'table-kills',
    path: 'test/gateway/oversight/tables/kills.integration.test.ts',
    size: { variable: 'PHI_TABLES_RUNS', full: '120' },
  },
  {
    name: 'writers',
    path: 'test/gateway/mutations/concurrent-writers.integration.test.ts',
    size: { variable: 'RECORD_WRITES', full: '1000' },
  },
  {
    name: 'writer-kills',
    path: 'test/gateway/mutations/killed-writers.integration.test.ts',
    size: { variable: 'RECORD_KILLS', full: '200' },
  },
  {
    name: 'anomalies',
    path: 'test/gateway/oversight/anomalies/simulated-clinic.integration.test.ts',
    size: { variable: 'PHI_ANOMALY_CLINICS', full: '3' },
  },
  {
    name: 'tail',
    path: 'test/gateway/oversight/tables/no-blind-minute.integration.test.ts',
    size: { variable: 'PHI_TAIL_RUNS', full: '60' },
  },
  {
    name: 'delivery',
    path: 'test/gateway/oversight/delivery/delivery.integration.test.ts',
    size: { variable: 'PHI_DELIVERY_BATCHES', full: '1000' },
  },
  {
    name: 'filters',
    path: 'test/gateway/oversight/tables/selected.property.test.ts',
    size: { variable: 'PHI_FILTER_RUNS', full: '60' },
  },
  {
    name: 'alterations',
    path: 'test/gateway/audit/verify-log.test.ts',
    size: { variable: 'AUDIT_ALTERATIONS', full: '1000' },
  },
  {
    name: 'over-grants',
    path: 'test/gateway/audit/over-grants.integration.test.ts',
    size: { variable: 'OVER_GRANTS', full: '500' },
  },
  {
    name: 'replay',
    path: 'test/gateway/audit/verify-replay.property.test.ts',
    size: { variable: 'PHI_REPLAY_RUNS', full: '5000' },
  },
  {
    name: 'audit-exports',
    path: 'test/gateway/oversight/exports/fhir.test.ts',
    size: { variable: 'EXPORT_EVENTS', full: '10000' },
  },
  {
    name: 'changes',
    path: 'test/cli/import-changes.integration.test.ts',
    size: { variable: 'CHANGE_SETS', full: '200' },
  },
  {
    name: 'closed-records',
    path: 'test/gateway/disclosure/closed-records.integration.test.ts',
    size: { variable: 'CLOSED_RECORDS', full: 'all' },
  },
  {
    name: 'registrar',
    path: 'test/gateway/operations/persisted/registrar.integration.test.ts',
    size: { variable: 'REGISTERED', full: '10000' },
  },
  {
    name: 'registry',
    path: 'test/gateway/operations/persisted/registry-size.integration.test.ts',
    size: { variable: 'REGISTERED_OPERATIONS', full: '10000' },
  },
  {
    name: 'consents',
    path: 'test/gateway/decide/consent.test.ts',
    size: { variable: 'CONSENT_REQUESTS', full: '1000000' },
  },
  {
    name: 'any-text',
    path: 'test/hostile/any-input.integration.test.ts',
    size: { variable: 'ANY_TEXTS', full: '20000' },
  },
  { name: 'oracle', path: 'test/oracle/oracle.integration.test.ts', size: { variable: 'ORACLE_RUNS', full: '2000' } },
  {
    name: 'oracle-changes',
    path: 'test/oracle/mixed.integration.test.ts',
    size: { variable: 'ORACLE_RUNS', full: '1000' },
  },
  {
    name: 'faults',
    path: 'test/hostile/campaign/campaign.integration.test.ts',
    size: { variable: 'CAMPAIGN_ROUNDS', full: '25' },
  },
  {
    name: 'rotation',
    path: 'test/gateway/admin/tenant-rotation.integration.test.ts',
    size: { variable: 'ROTATION_PATIENTS', full: '10000' },
  },
  { name: 'hostile', path: 'test/hostile/run.ts' },
  { name: 'attack', path: 'test/attack.ts', size: { variable: 'ATTACK_SECONDS', full: '60' } },
  { name: 'memory', path: 'test/memory.ts' },
]
