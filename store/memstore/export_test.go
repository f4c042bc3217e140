package memstore

// ForgetJobs leaves nothing but the completions, to measure them alone.
func (m *Store) ForgetJobs() {
	m.jobs, m.due, m.transcripts = map[uint32]*memoryJob{}, nil, map[uint32]memoryTranscript{}
}
