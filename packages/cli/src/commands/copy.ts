/** `countersign copy`: flags and help. */
import type { Command } from '../command/model.ts'
import { copyingFlags } from '../flags/copying.ts'

/** Copies images. */
export const copyCommand: Command = {
  name: 'copy',
  summary: 'Copy an image, all platforms of it, and its signatures, attestations, SBOMs and other referrers of every layout.',
  description:
    'SOURCE and DESTINATION are registries, layout folders (oci:DIR, made if absent) or archives (oci-archive:FILE, written as a whole).\nWhat the destination has already is not sent again and never lost; the tag is written last. A copy that broke off is completed by running it again.',
  subjects: 'SOURCE DESTINATION',
  least: 2,
  most: 2,
  examples: [
    { text: 'Copy to another registry', line: 'countersign copy registry.example/app:1.2 mirror.example/app:1.2' },
    { text: 'Verify first', line: 'countersign copy --verify --key cosign.pub registry.example/app:1.2 mirror.example/app:1.2' },
    { text: 'Copy the signatures only', line: 'countersign copy --only=sig registry.example/app:1.2 mirror.example/app:1.2' },
    { text: 'Into a layout folder', line: 'countersign copy registry.example/app:1.2 oci:./image:1.2' },
  ],
  flags: [
    {
      name: 'only',
      kind: 'csv',
      value: 'sig,att,sbom',
      help: 'signatures, attestations or SBOMs alone, of every layout, without the image',
      choices: ['sig', 'att', 'sbom'],
    },
    { name: 'sig-only', kind: 'boolean', hidden: true, help: 'the same as --only=sig' },
    ...copyingFlags,
  ],
  body: async () => (await import('../verbs/copy.ts')).copy,
}
