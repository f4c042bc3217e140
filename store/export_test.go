package store

// ForgetJobs leaves nothing but the completions, to measure them alone.
func (m *Memory) ForgetJobs() {
	m.jobs, m.due, m.transcripts = map[uint32]*memoryJob{}, nil, map[uint32]memoryTranscript{}
}
