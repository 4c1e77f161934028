import { type Importer, writePatients } from '../fhir/importer.ts'
import { type CodeLabels, codeLabels } from '../fhir/labels.ts'
import { type MappedPatient, mapBundle } from '../fhir/map-bundle.ts'
import { type TenantId, tenantId } from '../vocabulary/ids.ts'
import { refuseProduction } from '../vocabulary/stage.ts'
import { demoBundles } from './bundles.ts'
import type { DemoUser } from './users.ts'

export interface SeedOptions {
  /** Of what is written to. */
  readonly stage: string | undefined
  /** Opens the sealed store of one tenant. */
  readonly openImporter: (tenant: TenantId) => Promise<Importer>
  /** How many patients each tenant gets. */
  readonly riverside: number
  readonly lakeside: number
  readonly log: (line: string) => void
}

/** The demo's own bundles could not be read in full: a fault of this program, not of any input. */
class DemoFault extends Error {
  override readonly name = 'DemoFault'
  constructor() {
    super('The demo patients do not pass the import.')
  }
}

/**
 * Writes the demo patients of both tenants, in the way in which `phi import` writes anybody's. Repeating it changes nothing.
 *
 * @throws StageRefused, before anything is opened: made-up patients must not stand among real ones
 * @throws DemoFault, and what the importer throws
 */
export async function seedDemo({ stage, openImporter, riverside, lakeside, log }: SeedOptions): Promise<void> {
  refuseProduction({ PHI_STAGE: stage })
  const labels = codeLabels()
  for (const [name, count] of [
    ['riverside', riverside],
    ['lakeside', lakeside],
  ] as const) {
    const tenant = tenantId(name)
    if (tenant === undefined) throw new DemoFault()
    const importer = await openImporter(tenant)
    let records = 0
    try {
      await writePatients(demoPatients(name, tenant, count, importer, labels), async (patient) => {
        const { created, updated, unchanged } = await importer.write(patient)
        records += created + updated + unchanged
      })
    } finally {
      await importer.close()
    }
    log(`${name}: ${count} patients, ${records} records`)
  }
}

function* demoPatients(
  name: DemoUser['tenant'],
  tenant: TenantId,
  count: number,
  { idFor }: Importer,
  labels: CodeLabels,
): Generator<MappedPatient> {
  for (const bundle of demoBundles({ tenant: name, count })) {
    const { patients, faults } = mapBundle(bundle, { tenant, idFor, assign: new Map(), labels })
    if (faults.length > 0) throw new DemoFault()
    yield* patients
  }
}
