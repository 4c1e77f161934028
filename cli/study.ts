import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { lockDigest } from '../directives/compile.ts'
import { openStudyAdmin, type StudyAdmin, UnknownSubject } from '../gateway/admin/study-admin.ts'
import { clinicLock } from '../schema/clinic.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { StageRefused, refuseProduction } from '../gateway/model/stage.ts'
import type { Study } from '../gateway/model/study.ts'
import { readStudyFile, StudyRefused } from './study-file.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'

/** `phi study list|put|end` manages the studies of a tenant and their patients. It refuses the same stages as `phi import`. */
export function studyCommand(): Command {
  return new Command('study')
    .description('manage the studies of a tenant, under which researchers act')
    .addCommand(
      ofTenant('list', 'print the studies with researchers and periods, without patients').action(
        async ({ tenant }: OfTenant, command: Command) => {
          await withAdmin(tenant, command, async (admin) => {
            const studies = await admin.list()
            return studies.length === 0 ? ['no studies'] : studies.map(lineOf)
          })
        },
      ),
    )
    .addCommand(
      ofTenant('put', 'create or replace a study with the content of a file')
        .argument('<file>', 'JSON with protocol, title, researchers, since, until and patients')
        .action(async (file: string, { tenant }: OfTenant, command: Command) => {
          await withAdmin(tenant, command, async (admin) => {
            const { study, patients } = readStudyFile(textOf(file))
            const { given, unchanged, ended } = await admin.put(study, patients)
            return [`memberships added ${given}, unchanged ${unchanged}, ended ${ended}`]
          })
        }),
    )
    .addCommand(
      ofTenant('end', 'end a study now')
        .argument('<protocol>', 'the name of the protocol')
        .action(async (protocol: string, { tenant }: OfTenant, command: Command) => {
          await withAdmin(tenant, command, async (admin) => {
            const done = await admin.end(protocol)
            if (done === 'UNKNOWN') throw new StudyRefused('UNKNOWN_STUDY')
            return [done === 'ENDED' ? 'ended' : 'already ended']
          })
        }),
    )
}

interface OfTenant {
  readonly tenant: TenantId
}

function ofTenant(name: string, description: string): Command {
  return new Command(name).description(description).requiredOption('--tenant <tenant>', 'the tenant of the study', tenantOption)
}

async function withAdmin(
  tenant: TenantId,
  command: Command,
  act: (admin: StudyAdmin) => Promise<readonly string[]>,
): Promise<void> {
  try {
    refuseProduction(process.env)
    const admin = openStudyAdmin(tenant, lockDigest(clinicLock()), process.env)
    try {
      for (const line of await act(admin)) printLine(line)
    } finally {
      admin.close()
    }
  } catch (failure) {
    const refused = failure instanceof UnknownSubject ? new StudyRefused('UNKNOWN_PATIENT', failure.place) : failure
    if (refused instanceof StudyRefused || refused instanceof StageRefused) command.error(`error: ${refused.message}`)
    throw failure
  }
}

/** @throws StudyRefused */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw new StudyRefused('FILE')
  }
}

function lineOf({ protocol, title, researchers, since, until }: Study): string {
  const from = since === undefined ? '' : `from ${new Date(since).toISOString()} `
  const about = title === undefined ? '' : `  ${title}`
  return `${protocol}  ${from}until ${new Date(until).toISOString()}  ${researchers.join(' ')}${about}`
}
