import type { Command } from 'commander'
import { lockDigest } from '../directives/compile.ts'
import { openStudyAdmin, type StudyAdmin, UnknownSubject } from '../gateway/admin/study-admin.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { StageRefused, refuseProduction } from '../gateway/model/stage.ts'
import type { Study } from '../gateway/model/study.ts'
import { projectLock } from '../schema/project.ts'
import { type Choices, chosen, unknownText } from './choices.ts'
import { readInputText } from './files.ts'
import { Refused } from './refused.ts'
import { readStudyFile, StudyRefused } from './study-file.ts'
import { printLine } from './terminal.ts'

/** Prints the studies of a tenant. */
export async function listStudies(tenant: TenantId, command: Command): Promise<void> {
  await withAdmin(tenant, command, async (admin) => {
    const studies = await admin.list()
    return studies.length === 0 ? ['no studies'] : studies.map(lineOf)
  })
}

/**
 * Creates or replaces the study of a file. A misspelled protocol would create another study, and leave the patients and researchers of the
 * one that was meant unchanged.
 *
 * @param isNew whether the study may be new
 */
export async function putStudy(
  tenant: TenantId,
  file: string,
  { isNew }: { readonly isNew: boolean },
  command: Command,
): Promise<void> {
  await withAdmin(tenant, command, async (admin) => {
    const { study, patients } = readStudyFile(readInputText(file, '<file>'))
    if (!isNew) {
      const choices = studyChoices(await admin.list(), '"protocol" of <file>')
      chosen(study.protocol, { ...choices, otherwise: 'If the study is new, add --new-study.' })
    }
    const { given, unchanged, ended } = await admin.put(study, patients)
    return [`memberships added ${given}, unchanged ${unchanged}, ended ${ended}`]
  })
}

/** Ends a study now. */
export async function endStudy(tenant: TenantId, protocol: string, command: Command): Promise<void> {
  await withAdmin(tenant, command, async (admin) => {
    const done = await admin.end(protocol)
    if (done === 'UNKNOWN') throw new Refused(unknownText(protocol, studyChoices(await admin.list())))
    return [done === 'ENDED' ? 'ended' : 'already ended']
  })
}

async function withAdmin(
  tenant: TenantId,
  command: Command,
  act: (admin: StudyAdmin) => Promise<readonly string[]>,
): Promise<void> {
  try {
    refuseProduction(process.env)
    const admin = openStudyAdmin(tenant, lockDigest(projectLock()), process.env)
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

const studyChoices = (studies: readonly Study[], option = '<protocol>'): Choices => ({
  noun: 'study',
  nouns: 'studies',
  of: 'the tenant',
  known: studies.map(({ protocol }) => protocol),
  option,
  list: 'phi study list --tenant TENANT',
})

function lineOf({ protocol, title, researchers, since, until }: Study): string {
  const from = since === undefined ? '' : `from ${new Date(since).toISOString()} `
  const about = title === undefined ? '' : `  ${title}`
  return `${protocol}  ${from}until ${new Date(until).toISOString()}  ${researchers.join(' ')}${about}`
}
