"""Orthanc: the two ways from an Orthanc archive to ICH Serve, ich.lua and bridge."""
