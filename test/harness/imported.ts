import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runImport } from '../../cli/import-run.ts'
import type { ImportReport } from '../../cli/import-report.ts'
import { lockDigest } from '../../directives/compile.ts'
import { openStore } from '../../gateway/admin/open-store.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, TenantId } from '../../gateway/model/ids.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { plainOptions } from './import-options.ts'
import type { RunningClinic } from './running-clinic.ts'

/** The report of an import, and the node ids of records by their type and source id. */
export interface Imported extends ImportReport {
  readonly idOf: (type: string, sourceId: string, patient: string) => string
}

/** Imports resources as one FHIR bundle, as `phi import` does. The report has every fault. */
export async function importResources(
  { stack }: Pick<RunningClinic, 'stack'>,
  resources: readonly object[],
  { tenant = 'riverside' as TenantId, bundle = {} }: { tenant?: TenantId; bundle?: object } = {},
): Promise<Imported> {
  const folder = mkdtempSync(join(tmpdir(), 'phi-import-'))
  const importer = await openStore(tenant, lockDigest(clinicLock()), stack.env)
  try {
    const entry = resources.map((resource) => ({ resource }))
    writeFileSync(join(folder, 'bundle.json'), JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry, ...bundle }))
    const report = await runImport({
      paths: [folder],
      tenant,
      importer,
      ...plainOptions(),
    })
    const { idFor } = importer
    const idOf: Imported['idOf'] = (type, sourceId, patient) =>
      encodeNodeId({
        type: type as TypeName,
        patient: idFor('Patient', patient) as string as PatientId,
        id: idFor(type, sourceId),
      })
    return { ...report, idOf }
  } finally {
    await importer.close()
    rmSync(folder, { recursive: true })
  }
}
